"""The permissions of the installation's ServiceAccount, by access reviews."""

from collections.abc import Sequence

import yaml

from steerway.kubecheck import review
from steerway.kubecheck.context import Context
from steerway.kubecheck.permission import Permission, permissions
from steerway.kubecheck.result import Result, error, ok
from steerway.kubecheck.review import Subject


async def granted(context: Context) -> Sequence[Result]:
    """A line for each feature that lacks something."""
    installed = context.installed
    subject = Subject(installed.namespace, installed.service_account)
    needed = permissions(installed.settings, installed.namespace)
    lacking = await review.missing(context.reader, subject, needed)
    if not lacking:
        count = sum(len(permission.verbs) for permission in needed)
        return [ok(f"{subject} has all {count} permissions that the settings need")]
    by_feature: dict[tuple[str, str], list[Permission]] = {}
    for permission in lacking:
        by_feature.setdefault((permission.feature, permission.opt_out), []).append(permission)
    return [
        _lacks(subject, feature, opt_out, group, installed.name)
        for (feature, opt_out), group in by_feature.items()
    ]


def _lacks(subject: Subject, feature: str, opt_out: str, lacking: list[Permission], name: str) -> Result:
    what = "; ".join(permission.text for permission in lacking)
    kind = "ClusterRole" if any(permission.namespace is None for permission in lacking) else "Role"
    rules = yaml.safe_dump(review.rules(lacking), sort_keys=False, default_flow_style=None).strip()
    otherwise = f", or {opt_out}" if opt_out else ""
    hint = f"add to the rules of its {kind}{otherwise}:\n{rules}"
    unique = "-".join(sorted({permission.resource.replace("/", "-") for permission in lacking}))
    manifest = review.role(subject, lacking, f"{name}-{unique}"[:63].rstrip("-"))
    return error(f"{subject} may not {what}: it is for {feature}", hint, manifest)
