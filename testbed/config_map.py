"""A directory that is mounted from a ConfigMap, written as kubelet's atomic writer does."""

import shutil
from pathlib import Path


def swap(directory: Path, generation: int, **files: str) -> None:
    """Replace the content: new directory, one rename, links for new names, old links and the old directory away.

    Source: kubernetes/pkg/volume/util/atomic_writer.go, Write.
    """
    payload = directory / f"..gen{generation}"
    payload.mkdir(parents=True)
    for name, text in files.items():
        (payload / f"{name}.yaml").write_text(text)
    link = directory / "..data"
    before = link.readlink() if link.is_symlink() else None
    (directory / "..data_tmp").symlink_to(payload.name)
    (directory / "..data_tmp").rename(link)
    for name in files:
        if not (directory / f"{name}.yaml").is_symlink():
            (directory / f"{name}.yaml").symlink_to(f"..data/{name}.yaml")
    for visible in directory.glob("*.yaml"):
        if not visible.exists():
            visible.unlink()
    if before is not None:
        shutil.rmtree(directory / before)
