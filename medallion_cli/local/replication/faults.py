"""What can go wrong in a replication task.

ReplicationFault
├── Unsupported     the source holds or logs something that has no mapping: the task fails
├── BinlogLost      the position is no longer in the source's binlog: the task fails, reload
├── Refused         the source no longer takes the password: the task is started again with its secret as it is then
└── SourceLost      the source went away: the task reconnects and goes on from its checkpoint
"""

from __future__ import annotations


class ReplicationFault(Exception):
    """A replication task cannot go on; the message is its LastFailureMessage."""


class Unsupported(ReplicationFault):
    """Something at the source that the task cannot carry."""


class BinlogLost(ReplicationFault):
    """The binlog no longer holds the task's position."""


class Refused(ReplicationFault):
    """The source refuses the credentials."""


class SourceLost(ReplicationFault):
    """The connection to the source broke; trying again is right."""
