"""Package and extras; `pip install -e .` from a checkout, because recipes live beside the package."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="ser",
    version="0.1.0",
    description="Cross-corpus speech emotion recognition: four papers' protocols on one core",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    packages=find_packages(include=["ser", "ser.*"]),
    package_data={"ser.report": ["report.html.j2", "style.css", "script.js"]},
    install_requires=[
        # torchaudio 2.11 is the newest that works beside a torch from PyPI on any machine, and needs its own torch.
        "torch>=2.8,<2.12",
        "torchaudio>=2.8,<2.12",
        "s3prl>=0.4.18",
        "numpy",
        "scipy>=1.15",
        "pandas",
        "kaldiio",
        "matplotlib",
        "soundfile",
        "scikit-learn>=1.5",
        "threadpoolctl",
        "pydantic>=2",
        "PyYAML",
        "tqdm",
        "safetensors",
        "lightning-fabric>=2.4",
        "peft",
        "Jinja2",
        "MarkupSafe",
    ],
    extras_require={
        "egemaps": ["opensmile>=2.6"],  # audEERING's licence: research, no products
        "test": ["pytest>=8", "pytest-xdist", "hypothesis", "ruff", "opensmile>=2.6", "selenium>=4"],
    },
)
