"""An advisory for computers: Common Security Advisory Framework 2.0, profile ``csaf_security_advisory``.

Article 14(8) of Regulation (EU) 2024/2847 wants it "where appropriate in a structured, machine-readable format that is easily
automatically processable". The format: https://docs.oasis-open.org/csaf/csaf/v2.0/os/csaf-v2.0-os.html, sections 3 and 4.4.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from alerts.campaigns.content import AdvisoryContent, AdvisoryTexts
from alerts.campaigns.letters import machine_url
from alerts.notices.speech import Brand
from hearthwatch.records.campaigns import Campaign

CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,}")
AFFECTED, FIXED = "affected", "fixed"


def document(campaign: Campaign, content: AdvisoryContent, brand: Brand, public_url: str) -> dict[str, Any]:
    """The advisory as a CSAF document. ``public_url`` is the platform's; its host is the publisher's namespace."""
    texts = content.texts.get("en") or next(iter(content.texts.values()), AdvisoryTexts())
    language = "en" if "en" in content.texts else next(iter(content.texts), "en").replace("_", "-")
    return {
        "document": {
            "category": "csaf_security_advisory",
            "csaf_version": "2.0",
            "lang": language,
            "title": campaign.title,
            "distribution": {"tlp": {"label": "WHITE"}},
            "notes": [{"category": "summary", "text": texts.what}] if texts.what else [],
            "publisher": {"category": "vendor", "name": brand.name, "namespace": public_url.rstrip("/")},
            "references": [
                {"category": "self", "summary": "This document", "url": machine_url(campaign, public_url)},
                *([{"category": "external", "summary": "For users", "url": content.url}] if content.url else []),
            ],
            "tracking": _tracking(campaign),
        },
        "product_tree": {"branches": [_products(content, brand)]},
        "vulnerabilities": [
            _vulnerability(content, texts, one) for one in (content.weaknesses or (campaign.reference,))
        ],
    }


def _tracking(campaign: Campaign) -> dict[str, Any]:
    first = campaign.approved_at or campaign.created_at
    history = [(first, "First release")]
    if campaign.closed_at is not None:
        history.append((campaign.closed_at, "Closed"))
    return {
        "id": campaign.reference,
        "status": "final" if campaign.approved_at else "draft",
        "version": str(len(history)),
        "initial_release_date": _at(first),
        "current_release_date": _at(history[-1][0]),
        "revision_history": [
            {"date": _at(at), "number": str(number), "summary": summary}
            for number, (at, summary) in enumerate(history, 1)
        ],
    }


def _products(content: AdvisoryContent, brand: Brand) -> dict[str, Any]:
    named = [(model, content.product or model) for model in content.selection.models] or [("", content.product)]
    return {
        "category": "vendor",
        "name": content.brand or brand.name,
        "branches": [
            {
                "category": "product_name",
                "name": f"{product} ({model})" if model and model != product else product,
                "branches": _versions(content, model, product),
            }
            for model, product in named
        ],
    }


def _versions(content: AdvisoryContent, model: str, product: str) -> list[dict[str, Any]]:
    selection = content.selection
    bounds = [
        f"{sign}{text}"
        for sign, text in ((">=", selection.firmware_from), ("<", selection.firmware_below or content.fixed_version))
        if text
    ]
    spread = f"vers:generic/{'|'.join(bounds)}" if bounds else "vers:all/*"
    branches = [_branch("product_version_range", spread, f"{product} {spread}", _id(model, AFFECTED))]
    if content.fixed_version:
        name = f"{product} {content.fixed_version}"
        branches.append(_branch("product_version", content.fixed_version, name, _id(model, FIXED)))
    return branches


def _branch(category: str, name: str, product: str, product_id: str) -> dict[str, Any]:
    return {"category": category, "name": name, "product": {"name": product, "product_id": product_id}}


def _vulnerability(content: AdvisoryContent, texts: AdvisoryTexts, weakness: str) -> dict[str, Any]:
    models = content.selection.models or ("",)
    affected, fixed = [_id(one, AFFECTED) for one in models], [_id(one, FIXED) for one in models]
    known = {"cve": weakness} if CVE.fullmatch(weakness) else {"ids": [{"system_name": "vendor", "text": weakness}]}
    remediations: list[dict[str, Any]] = []
    status = {"known_affected": affected}
    if content.fixed_version:
        details = f"Install version {content.fixed_version}."
        remediations.append({"category": "vendor_fix", "details": details, "product_ids": affected})
        status["fixed"] = fixed
    if texts.mitigation:
        remediations.append({"category": "mitigation", "details": texts.mitigation, "product_ids": affected})
    exploited = [{"category": "exploit_status", "details": "Exploited in the wild.", "product_ids": affected}]
    return {
        **known,
        "notes": [{"category": "description", "text": texts.what or weakness}],
        "product_status": status,
        "remediations": remediations
        or [{"category": "none_available", "details": "None yet.", "product_ids": affected}],
        **({"threats": exploited} if content.exploited else {}),
    }


def _id(model: str, what: str) -> str:
    return f"{model or 'product'}:{what}"


def _at(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
