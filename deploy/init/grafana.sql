-- What the dashboards may read. No customers and homes, no accounts, no texts of notices, no payloads.
GRANT USAGE ON SCHEMA public TO grafana;
GRANT SELECT ON devices, models, releases, findings, vitals, cohort_looks, job_runs, metric_names, processes, prognoses TO grafana;
GRANT SELECT (id, kind, state, priority, finding_id, parent_id, device_id, model, part, opened_at, due_at, closed_at, closing_code,
    closing_part) ON tickets TO grafana;
GRANT SELECT (id, finding_id, device_id, kind, language, state, reason, created_at, sent_at, answer) ON notices TO grafana;
GRANT SELECT (id, kind, channel, state, attempts, created_at, next_at, delivered_at) ON outbox TO grafana;
GRANT SELECT (id, received_at, source, topic, device, part, reason, samples, seen, state) ON quarantine TO grafana;
