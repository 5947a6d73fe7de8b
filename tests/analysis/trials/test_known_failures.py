from profiler.analysis.trials.known_failures import explained
from profiler.wire.providers import OPENVINO

CYCLE = (
    "error: Fail: [ONNXRuntimeError] : 1 : FAIL : This is an invalid model."
    " Error: the graph is not acyclic."
)
"""as onnxruntime-openvino 1.24.1 said it"""


def test_a_known_failure_says_what_helps_and_keeps_the_message() -> None:
    said = explained(CYCLE, OPENVINO)
    assert "Use int8-static" in said
    assert said.endswith(CYCLE)


def test_a_page_of_c_is_cut_to_its_end() -> None:
    page = "std::format_string<Args ...> " * 100
    said = explained(page + "Supported precisions set is not available for Constant op", OPENVINO)
    assert '"SNIPPETS_MODE": "DISABLE"' in said
    assert said.endswith("is not available for Constant op")
    assert len(said) < 500


def test_another_provider_and_another_message_stay_as_they_are() -> None:
    assert explained(CYCLE, "CPUExecutionProvider") == CYCLE
    assert explained("error: out of luck", OPENVINO) == "error: out of luck"
