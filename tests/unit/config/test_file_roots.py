"""S26: `${file:}` reads below its roots and nowhere else, whatever the path looks like."""

import pytest

from hub.config.references import BadReference, References


@pytest.fixture
def roots(tmp_path):
    """Folders: one that may be read, one beside it whose name begins alike; links between them."""
    for name in ("kept", "kept-not"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_text("CANARY")
    (tmp_path / "kept" / "out").symlink_to(tmp_path / "kept-not" / "key")
    (tmp_path / "kept" / "up").symlink_to(tmp_path)
    (tmp_path / "kept" / "circle").symlink_to(tmp_path / "kept" / "circle")
    return tmp_path


OUT = (
    "/etc/hostname", "//etc/hostname", "HERE/kept/../kept-not/key", "HERE/kept/./../kept-not/key",
    "HERE/kept-not/key", "HERE/kept/out", "HERE/kept/up/kept-not/key", "HERE/kept/circle",
    "HERE/kept/key\x00", "HERE/kept/\x00/../key", "HERE/kept", "HERE/kept/none",
    "HERE/kept/%2e%2e/kept-not/key", "kept/key", "../kept/key", "~/key",
)  # fmt: skip


@pytest.mark.parametrize("path", OUT)
def test_s26_what_leads_out_or_nowhere_is_refused(roots, path):
    references = References({}, [str(roots / "kept")])
    with pytest.raises(BadReference) as refused:
        references.resolve(f"${{file:{path.replace('HERE', str(roots))}}}")
    assert "CANARY" not in repr(refused.value)


@pytest.mark.parametrize("path", ["HERE/kept/key", "HERE/kept/up/kept/key", "HERE/kept/./key"])
def test_s26_what_ends_below_a_root_is_read(roots, path):
    references = References({}, [str(roots / "kept")])
    found = references.resolve(f"${{file:{path.replace('HERE', str(roots))}}}")
    assert found == "CANARY"
