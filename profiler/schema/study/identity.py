"""What identifies a study: results of another hash don't mix with it."""

from __future__ import annotations

import hashlib
import json

from profiler.schema.device.target import Target
from profiler.schema.study.study import Study
from profiler.wire.codec import encode


def study_hash(study: Study, targets: tuple[Target, ...]) -> str:
    """SHA-256 over what was asked for; results of another hash don't mix with these."""
    asked = [{key: value for key, value in encode(target).items() if key != "wheels"}
             for target in targets]  # fmt: skip
    own = encode(study)
    if study.measure.yardstick:  # a folder from before it was there is the same study
        del own["measure"]["yardstick"]
    text = json.dumps([own, asked], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
