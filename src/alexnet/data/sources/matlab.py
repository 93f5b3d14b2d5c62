"""Lists of names in MATLAB's .mat files, read with SciPy, which is optional."""

import io

import numpy as np

from alexnet.errors import AlexNetError, DataError


def read_names(data: bytes, variable: str, file: str) -> list[str]:
    """Read a cell array of strings.

    Args:
        data: The .mat file.
        variable: The array's name in it.
        file: The file's name, for errors.

    Raises:
        AlexNetError: If SciPy is not installed.
        DataError: If the file is torn, or holds no such array.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise AlexNetError(f'{file} is a file of MATLAB and needs SciPy: pip install "alexnet[matlab]"') from error
    try:
        cells = loadmat(io.BytesIO(data), variable_names=[variable])[variable]
        return [str(np.ravel(cell)[0]) for cell in np.ravel(cells)]
    except Exception as error:  # its reader raises anything at foreign bytes
        reason = " ".join(str(error).split())[:120]
        raise DataError(
            f"{file} holds no list {variable} ({type(error).__name__}: {reason}): fetch it again"
        ) from error
