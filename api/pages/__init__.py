"""The staff's pages, on NiceGUI: they read both stores, and act through the stages' use cases."""

from __future__ import annotations

from fastapi import FastAPI
from nicegui import app as nicegui_app
from nicegui import ui

from api.context import ApiContext
from api.pages import (
    backtest,
    backtests,
    campaign,
    campaigns,
    comparisons,
    devices,
    feedback,
    findings,
    fleet,
    knowledge,
    mail,
    model,
    models,
    notice_kinds,
    notices,
    outbox,
    policies,
    policy_replays,
    quality,
    release,
    releases,
    rollout,
    rollouts,
    service_figures,
    sla,
    ticket,
    tickets,
)
from api.pages.frame import staff_page
from api.pages.language import router as language_router
from api.security import AGENTS, READERS, TICKET_READERS


def mount(app: FastAPI, context: ApiContext) -> None:
    """Add every page to an application. NiceGUI keeps its pages per process, so the latest application's context serves them."""
    for path, title, build, *roles in (
        ("/", "Fleet", fleet.fleet_page),
        ("/releases", "Firmware", releases.releases_page),
        ("/releases/{release_id}", "Firmware", release.release_page),
        ("/rollouts", "Roll-outs", rollouts.rollouts_page),
        ("/rollouts/{rollout_id}", "Roll-out", rollout.rollout_page),
        ("/comparisons", "Comparisons", comparisons.comparisons_page),
        ("/comparisons/{comparison_id}", "Comparison", comparisons.comparison_page),
        ("/backtests", "Backtests", backtests.backtests_page),
        ("/backtests/{backtest_id}", "Backtest", backtest.backtest_page),
        ("/devices", "Devices", devices.devices_page),
        ("/devices/{device_id}", "Device", devices.device_page),
        ("/findings", "Findings", findings.findings_page),
        ("/findings/{finding_id}", "Finding", findings.finding_page),
        ("/tickets", "Tickets", tickets.tickets_page, *TICKET_READERS),
        ("/tickets/{ticket_id}", "Ticket", ticket.ticket_page, *TICKET_READERS),
        ("/sla", "Service levels", sla.sla_page),
        ("/mail", "Inbound mail", mail.mail_page, *AGENTS),
        ("/campaigns", "Recalls", campaigns.campaigns_page),
        ("/campaigns/{campaign_id}", "Recall or security notice", campaign.campaign_page),
        ("/notices", "Notices", notices.notices_page),
        ("/notice-kinds", "Kinds of notices", notice_kinds.notice_kinds_page),
        ("/notices/{notice_id}", "Notice", notices.notice_page),
        ("/outbox", "Outbox", outbox.outbox_page),
        ("/outbox/{item_id}", "In the outbox", outbox.item_page),
        ("/feedback", "Feedback to product", feedback.feedback_page),
        ("/service-figures", "Service figures", service_figures.figures_page),
        ("/knowledge", "Knowledge", knowledge.knowledge_page),
        ("/knowledge/{slug}", "Knowledge", knowledge.article_page),
        ("/policy", "Policy", policies.policy_page),
        ("/policy/replay", "Replay of a policy", policy_replays.replays_page),
        ("/policy/replay/{replay_id}", "Replay of a policy", policy_replays.replay_page),
        ("/policy/versions/{version}", "Policy", policies.version_page),
        ("/models", "Models", models.models_page),
        ("/models/{version_id}", "Model", model.model_page),
        ("/quality", "Data quality", quality.quality_page),
    ):
        staff_page(context, path, title, build, roles or READERS)
    app.include_router(language_router)
    nicegui_app.config.endpoint_documentation = "none"
    ui.run_with(app, title=context.settings.brand_name, favicon="🏠", show_welcome_message=False)
