"""What is to be done: recipes, read and checked."""

from tfcnn.recipes.reader import (
    FOLDER,
    PARTS,
    assignment,
    flat,
    for_folder,
    known_keys,
    load,
    names,
    override,
    parse,
    read_assignment,
    write,
)
from tfcnn.recipes.schema import (
    Augment,
    DataSettings,
    InputSettings,
    ModelSettings,
    Recipe,
    SplitSettings,
    TrainSettings,
)

__all__ = [
    "FOLDER",
    "PARTS",
    "Augment",
    "DataSettings",
    "InputSettings",
    "ModelSettings",
    "Recipe",
    "SplitSettings",
    "TrainSettings",
    "assignment",
    "flat",
    "for_folder",
    "known_keys",
    "load",
    "names",
    "override",
    "parse",
    "read_assignment",
    "write",
]
