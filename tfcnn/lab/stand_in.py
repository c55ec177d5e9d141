"""Which images a lesson begins with: real ones where they are, else some made here."""

from tfcnn import datasets


def downloaded(name: str, *, otherwise: str) -> str:
    """Return the name of a data set that has been downloaded, else that of one made here.

    Args:
        name: of the real data set, such as `mnist`.
        otherwise: of one that needs no network: `digits` or `smears`.

    Returns:
        One of the two names. The lesson prints it.

    Raises:
        InputError: if there is no data set `name`.
    """
    datasets.find(name)
    return name if datasets.folder_of(name).is_dir() else otherwise
