"""The catalogue's rules of what is looked at before an `up` on AWS."""

from __future__ import annotations

from medallion_cli import DISTRIBUTION
from medallion_cli.operations.doctor.rules import Rule

PREFLIGHT = (
    Rule("MED-UP-00", "no credentials: the account is not seen", "Nothing of the account is known.", "aws configure"),
    Rule("MED-UP-01", "account and credentials", "Nothing can be created.", "aws sts get-caller-identity"),
    Rule("MED-UP-02", "region", "Services may be missing there, or the region is switched off.", "medallion plan"),
    Rule("MED-UP-03", "names that are taken", "Stacks of these names can not be created.", "medallion plan"),
    Rule("MED-UP-04", "quotas", "The account has no room for what would be created.", "medallion plan"),
    Rule("MED-UP-05", "the account's DMS roles", "DMS can not make its network or its logs.", "medallion plan"),
    Rule("MED-UP-06", "QuickSight subscription", "There is no dashboard in QuickSight.", "medallion plan"),
    Rule("MED-UP-07", "classes and versions offered", "The region does not have what is configured.", "medallion plan"),
    Rule("MED-UP-08", "this machine", "Other versions than those that were tried.", f"pip install {DISTRIBUTION}"),
)  # fmt: skip
