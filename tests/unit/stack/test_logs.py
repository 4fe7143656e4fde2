from pathlib import Path

from app.stack.logs import bound_log, read_last_lines


def test_bound_log_moves_what_is_too_long_while_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    with path.open("a") as writer:
        writer.write("old\n" * 10)
        writer.flush()

        bound_log(path, limit_bytes=20)
        writer.write("new\n")

    assert path.read_text() == "new\n"
    assert (tmp_path / "api.log.1").read_text() == "old\n" * 10


def test_bound_log_leaves_a_short_log(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    path.write_text("short")

    bound_log(path, limit_bytes=20)

    assert path.read_text() == "short"


def test_last_lines_are_those_of_the_latest_process_without_blank_ones(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    path.write_text("from before\n")
    since = path.stat().st_size
    path.write_text("from before\none\n\n two  \n\xff\n")

    assert read_last_lines(path, since=since) == ["one", " two", "\xff"]
    assert read_last_lines(path, since=since, count=1) == ["\xff"]


def test_last_lines_begin_anew_when_the_log_was_moved(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    path.write_text("new\n")

    assert read_last_lines(path, since=1000) == ["new"]


def test_last_lines_of_no_log_are_none(tmp_path: Path) -> None:
    assert read_last_lines(tmp_path / "none.log") == []
