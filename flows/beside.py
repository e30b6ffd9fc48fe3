"""What stands beside a release's tables: what `views` makes of the tables that the manifest names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from views.beside import beside_release
from views.quality import QUALITY_TABLES, RESTATED, quality_page
from views.trust import IS_SHOWN
from warehouse.releases import Beside, Releases


def beside(releases: Releases) -> Beside:
    """Makes the texts beside a release of these releases: views, dictionary, data-quality page."""

    def texts(folder: Path, manifest: Mapping[str, Any]) -> Mapping[str, str]:
        made = dict(beside_release(folder, manifest))
        files = manifest["tables"]
        if all(name in files for name in QUALITY_TABLES):
            plain = [name for name in QUALITY_TABLES if name != "restatement"]
            frames = {
                name: pl.read_parquet(releases.root / files[name]["path"], glob=False) for name in plain
            }
            frames["restatement"] = _newest_restated(releases.root, files["restatement"])
            made["quality.html"] = quality_page(frames, manifest, int(folder.name))
        return made

    return texts


def _newest_restated(root: Path, log: Mapping[str, Any]) -> pl.DataFrame:
    """As many of the newest rows of restatement as the page shows, if there are: those of its last parts."""
    found: list[pl.DataFrame] = []
    for part in reversed(log.get("parts", [log])):
        told = pl.scan_parquet(root / part["path"], glob=False).filter(IS_SHOWN)
        found.append(told.collect(engine="in-memory"))
        if sum(one.height for one in found) >= RESTATED:
            break
    return pl.concat(found)
