"""All recipes' results side by side: `egs/RESULTS.md` and one self-contained `egs/report.html`.

`collect` reads the RESULTS.json files, `compare` groups what may be compared, `charts` draws, `markdown` and `page`
write. Nothing is computed from predictions here: every number was written by stage 6.
"""
