"""Rows made harder: noise, blur, typos and their like.

`perturb` makes the rows on the host (`text` those of text, which `reader` tokenizes again). A
further way to make rows (an adversarial attack, say) is an entry in `perturb.PERTURBATIONS`.
`campaign.stress` has them predicted on the target, `results.stress` reads the answers and
`analysis.quality.stress` judges them.
"""
