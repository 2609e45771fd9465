"""Flag files in odd encodings and with odd values: flags are read, or refused in a line."""

from fuzz_harness import case_folder, fuzz, list_tree, run_command
from fuzz_mutations import ODD_NUMBERS, ODD_TEXTS, damaged_bytes
from hypothesis import strategies as st

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.presets import PRESETS

FLAGS = tuple(
    line.split("=")[0] for line in settings.to_flags(PRESETS["vc1"]).splitlines()
)  # fmt: skip

OTHERS = (
    "--flagfile=flags.txt", "--flagfile", "--flagfile=", "--flagfile=/", "--flagfile=~nobody/x",
    "-flagfile=missing", "--", "---", "--=", "--preset=demo", "--preset=x", "--undefok=a", "--help",
    "--nodebug", "--novtln_init", "#", "//", "  # indented", "text", "", "\t", "--run_dir",
)  # fmt: skip


@st.composite
def flag_files(draw: st.DrawFn) -> bytes:
    """Return the bytes of a flag file."""
    value = st.sampled_from([*map(str, ODD_NUMBERS), *ODD_TEXTS]) | st.text(max_size=8)
    flag = st.builds(lambda name, text: f"{name}={text}", st.sampled_from(FLAGS), value)
    lines = draw(st.lists(flag | st.sampled_from(OTHERS), min_size=1, max_size=6))
    end = draw(st.sampled_from(("\n", "\r\n", "\r", "\n\n", "\0", "\u2028")))
    encoding = draw(st.sampled_from(("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1")))
    content = end.join(lines).encode(encoding, "replace")
    return draw(damaged_bytes(content)) if draw(st.booleans()) else content


def test_flag_files_are_read_or_refused() -> None:
    def check(content: bytes) -> None:
        with case_folder() as folder:
            (folder / "flags.txt").write_bytes(content)
            before = list_tree(folder)
            outcome = run_command(
                "train", f"--flagfile={folder}/flags.txt", f"--run_dir={folder}/run",
                f"--source_dir={folder}/missing", f"--target_dir={folder}/missing",
            )  # fmt: skip
            # The recordings are missing, unless the file asks for the help.
            assert outcome.status == 2 or "--flagfile: File with" in outcome.output
            assert list_tree(folder) == before

    fuzz(flag_files(), check, examples=100)
