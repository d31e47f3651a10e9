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
    # The oldest of each is tested (.ci/run), and constraints.txt names the newest that were.
    install_requires=[
        "torch>=2.14.1",  # torchaudio 2.11.1 accepts 2.11 too, but cannot be loaded before 2.13
        "torchaudio>=2.11.1",
        "s3prl>=0.4.18",
        "transformers>=5.0",
        "huggingface_hub>=1.0",
        "numpy>=1.26",
        "scipy>=1.15",
        "pandas>=2.2.3",
        "kaldiio>=2.18.1",  # NTT's licence: evaluation
        "matplotlib>=3.9",
        "soundfile>=0.13",
        "scikit-learn>=1.6",
        "threadpoolctl>=3.5",
        "pydantic>=2.10",
        "PyYAML>=6.0.2",
        "tqdm>=4.67",
        "safetensors>=0.8",
        "lightning-fabric>=2.5",
        "peft>=0.19",
        "Jinja2>=3.1.5",
        "MarkupSafe>=3.0.2",
    ],
    extras_require={
        "docs": ["mkdocs>=1.6"],
        "import": ["audformat>=1.1", "pyarrow>=14"],  # ser.bin.import_table
        "egemaps": ["opensmile>=2.6"],  # audEERING's licence: research, no products
        "test": [
            "pytest>=8.3",
            "pytest-xdist>=3.6.1",
            "hypothesis>=6.115",
            "ruff>=0.9",
            "opensmile>=2.6",
            "selenium>=4.25",
            "vermin>=1.6",
            "mkdocs>=1.6",
        ],
    },
)
