import logging
import sys
import warnings

from profiler.sources.quiet import cause, quiet, shortened


def test_everything_said_is_collected_and_handlers_come_back(capsys):
    logger = logging.getLogger("profiler-test-chatty")
    handler = logging.StreamHandler(sys.stderr)
    logger.addHandler(handler)
    before = list(logging.getLogger().handlers)
    with quiet() as said:
        sys.stdout.write("printed")
        sys.stderr.write("to stderr")
        warnings.warn("warned", stacklevel=1)
        logger.warning("own handler")
        logging.getLogger("another").error("root handler")
        logging.basicConfig()
    logger.removeHandler(handler)
    for text in ("printed", "to stderr", "own handler", "root handler"):
        assert text in said.getvalue()
    assert capsys.readouterr() == ("", "")
    assert logging.getLogger().handlers == before


def test_cause_is_one_short_line():
    assert cause(ValueError("\n first \n second")) == "ValueError: first"
    assert cause(KeyError()) == "KeyError"
    assert len(cause(ValueError("x" * 999))) == 300


def test_names_in_a_file_do_not_act_on_the_terminal() -> None:
    assert shortened("a\u202eb\x1b[2J\nc") == "a\\u202eb\\x1b[2J c"
    assert len(shortened("\u202e" * 300)) == 300
