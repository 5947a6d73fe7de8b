"""After the timing: the same sessions on perturbed rows, and asked what they must not be asked.

`perturb` makes the rows on the host (`text` those of text, which `reader` tokenizes again), `visit`
has them predicted on the target and records each answer as a row, `read` turns those rows into what
`profiler.analysis.stress` judges. A further way to make rows (an adversarial attack, say) is an
entry in `perturb.PERTURBATIONS`.
"""
