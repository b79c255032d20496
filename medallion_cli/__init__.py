"""Stand up and operate a medallion data warehouse on AWS, or the whole of it on one laptop."""

__version__ = "0.1.0"
DISTRIBUTION = "medallion-cli"  # the command is `medallion`; on PyPI that name is somebody else's
INSTALL_LOCAL = (
    f"pip install '{DISTRIBUTION}[local]'"  # adds what the extra needs to the tool as it is installed
)
