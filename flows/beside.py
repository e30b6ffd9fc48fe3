"""What stands beside a release's tables: what `views` makes of the tables that the manifest names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from views.beside import beside_release
from views.quality import QUALITY_TABLES, quality_page
from warehouse.releases import Beside, Releases

_NEWEST = 2
"""So many parts: the last one may have begun with this release."""


def beside(releases: Releases) -> Beside:
    """Makes the texts beside a release of these releases: views, dictionary, data-quality page."""

    def texts(folder: Path, manifest: Mapping[str, Any]) -> Mapping[str, str]:
        made = dict(beside_release(folder, manifest))
        files = manifest["tables"]
        if all(name in files for name in QUALITY_TABLES):
            # Of a table in parts, which the log of what was restated is, the page shows the newest rows.
            newest = {name: files[name].get("parts", [files[name]])[-_NEWEST:] for name in QUALITY_TABLES}
            frames = {
                name: pl.concat([pl.read_parquet(releases.root / one["path"], glob=False) for one in parts])
                for name, parts in newest.items()
            }
            made["quality.html"] = quality_page(frames, manifest, int(folder.name))
        return made

    return texts
