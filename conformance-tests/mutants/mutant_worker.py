"""The server of a mutant: `launch.py` names this module instead of the server's own.

Each mutant replaces one collaborator and then has the server built as always. Its name is the one
that cases give in `kills`.
"""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

import os

import broken_analytics
import broken_api
import broken_catalogue
import broken_days
import broken_decisions
import broken_endpoints
import broken_keys
import broken_life
import broken_lists
import broken_order
import broken_reading
import broken_replays
import broken_requests
import broken_routing
import broken_schedules
import broken_secrets
import broken_sending
import broken_telling
import broken_waiting
from flask import Flask

from hookwright_server import wiring
from hookwright_server.logs import configure_logging
from hookwright_server.serving import register_shutdown
from hookwright_server.settings import Settings

MUTANTS = {
    function.__name__.replace("_", "-"): function
    for function in (
        broken_analytics.counts_attempts_as_deliveries,
        broken_analytics.counts_no_failed_attempts,
        broken_analytics.counts_whatever_is_not_asked_for,
        broken_analytics.keeps_the_end_of_a_retried_delivery,
        broken_analytics.leaves_out_empty_intervals,
        broken_analytics.measures_what_did_not_answer,
        broken_analytics.success_rate_in_percent,
        broken_analytics.tells_a_bound_key_of_other_apps,
        broken_api.framework_errors_as_html,
        broken_api.leaks_foreign_rows,
        broken_api.loses_the_idempotency_key,
        broken_api.reserialises_the_payload,
        broken_catalogue.backtracks,
        broken_catalogue.deletes_event_types,
        broken_catalogue.gives_an_event_name_twice,
        broken_catalogue.ignores_event_schemas,
        broken_catalogue.judges_by_an_old_catalogue,
        broken_catalogue.judges_however_long_it_takes,
        broken_catalogue.takes_any_pattern,
        broken_catalogue.takes_any_schema,
        broken_catalogue.takes_unregistered_events,
        broken_days.erases_a_day_early,
        broken_days.erases_what_is_not_over,
        broken_days.keeps_everything,
        broken_days.never_disables_the_failing,
        broken_days.overlaps_last_longer,
        broken_days.remembers_keys_for_a_week,
        broken_days.switches_last_longer,
        broken_days.takes_silence_for_failing,
        broken_decisions.doubles_beyond_an_hour,
        broken_decisions.gone_does_not_disable,
        broken_decisions.ignores_retry_after,
        broken_decisions.never_retries_5xx,
        broken_decisions.never_retries_network_errors,
        broken_decisions.retries_4xx_forever,
        broken_decisions.retries_too_early,
        broken_decisions.stretches_waits_too_far,
        broken_decisions.waits_an_hour_at_most,
        broken_decisions.waits_longer_each_minute,
        broken_life.cancelling_spares_what_is_sent,
        broken_life.cancels_nothing_that_waits,
        broken_life.delivers_at_once,
        broken_life.delivers_two_seconds_early,
        broken_life.dry_runs_are_wet,
        broken_life.expunging_erases_nothing,
        broken_life.finds_any_event_id,
        broken_life.finds_any_tag,
        broken_life.ignores_an_event_name,
        broken_life.lists_deliveries_of_other_endpoints,
        broken_life.one_bad_event_spoils_the_batch,
        broken_life.replays_whatever_lies_in_the_range,
        broken_life.sends_what_has_expired,
        broken_order.ignores_ordering_keys,
        broken_order.one_order_for_all_keys,
        broken_order.only_success_lets_go,
        broken_order.retries_take_their_place_again,
        broken_order.schedules_ordered_events,
        broken_life.takes_impossible_times,
        broken_replays.cancels_no_replay_task,
        broken_replays.counts_skipped_as_replayed,
        broken_replays.replays_in_a_dry_run,
        broken_replays.replays_other_events,
        broken_replays.replays_what_has_not_ended,
        broken_replays.retries_what_has_expired,
        broken_replays.takes_any_number_of_replays,
        broken_routing.ignores_filter_rules,
        broken_routing.keeps_the_first_transformation,
        broken_routing.reformats_what_it_copies,
        broken_routing.rounds_numbers_in_filters,
        broken_routing.sends_what_it_could_not_transform,
        broken_routing.takes_absent_fields_for_null,
        broken_routing.takes_any_filter,
        broken_routing.takes_any_transformation,
        broken_schedules.adds_no_jitter,
        broken_schedules.app_policy_wins,
        broken_schedules.begins_the_default_schedule_late,
        broken_schedules.calls_five_failures_degraded,
        broken_schedules.ignores_max_attempts,
        broken_schedules.never_gives_up,
        broken_schedules.never_retries_429,
        broken_schedules.shows_no_next_attempt,
        broken_schedules.shows_answers_of_others,
        broken_schedules.takes_linear_for_exponential,
        broken_secrets.forgets_the_old_secret,
        broken_secrets.ignores_given_secrets,
        broken_secrets.numbers_the_bodies,
        broken_secrets.old_secrets_sign_for_an_hour,
        broken_secrets.remembers_endpoints_as_they_were,
        broken_secrets.rotates_no_app_secret,
        broken_sending.begins_a_trace_of_its_own,
        broken_sending.follows_redirects,
        broken_sending.ignores_the_total_deadline,
        broken_sending.new_webhook_id_per_attempt,
        broken_sending.sends_twice_a_second_apart,
        broken_sending.signs_an_empty_body,
        broken_sending.signs_v1_whatever_the_scheme,
        broken_sending.stale_timestamp_on_retries,
        broken_waiting.counts_a_batch_once,
        broken_waiting.counts_no_attempts,
        broken_waiting.drops_what_is_beyond_the_rate,
        broken_waiting.takes_what_is_beyond_the_quota,
        broken_telling.tells_about_itself,
        broken_telling.tells_everything_to_everybody,
        broken_telling.tells_nobody_what_happens,
        broken_waiting.never_slows_down,
        broken_endpoints.sends_everything_to_everybody,
        broken_endpoints.ignores_endpoint_ids,
        broken_endpoints.inactive_apps_accept,
        broken_endpoints.forgets_max_concurrency,
        broken_endpoints.hands_out_taken_slugs,
        broken_endpoints.takes_any_url,
        broken_endpoints.takes_any_header,
        broken_endpoints.disables_nothing,
        broken_endpoints.enabling_releases_nothing,
        broken_endpoints.enabling_releases_everything,
        broken_endpoints.deletes_no_endpoint,
        broken_endpoints.fills_the_system_app,
        broken_endpoints.makes_one_secret_for_all,
        broken_endpoints.shows_secrets_again,
        broken_keys.revokes_no_key,
        broken_keys.grants_every_scope,
        broken_keys.forgets_what_a_key_is_bound_to,
        broken_keys.shows_keys_again,
        broken_keys.old_keys_stay_for_an_hour,
        broken_keys.test_keys_make_live_ones,
        broken_lists.lists_the_oldest_first,
        broken_lists.counts_the_rows_of_the_page,
        broken_lists.pages_by_counting,
        broken_lists.opens_any_cursor,
        broken_lists.a_cursor_beats_an_offset,
        broken_lists.leaves_out_the_first_instant,
        broken_reading.names_requests_itself,
        broken_reading.reads_any_media_type,
        broken_reading.takes_nan_for_a_number,
        broken_reading.points_at_nothing,
        broken_reading.takes_payloads_of_any_length,
        broken_reading.breaks_on_nul,
        broken_reading.takes_any_batch,
        broken_reading.readiness_needs_a_key,
        broken_reading.one_place_for_all_idempotency_keys,
        broken_reading.takes_any_idempotency_key,
        broken_reading.remembers_refusals,
        broken_reading.forgets_who_is_under_way,
        broken_requests.knows_200_alone,
        broken_requests.calls_a_timeout_a_reset,
        broken_requests.calls_a_long_head_a_timeout,
        broken_requests.gives_up_after_a_second,
        broken_requests.endpoints_of_an_app_share_one_queue,
        broken_requests.reads_all_of_an_answer,
        broken_requests.never_retries_client_errors,
        broken_requests.asks_for_compression,
        broken_requests.misdates_the_body,
        broken_requests.sends_text,
        broken_requests.shows_what_endpoints_are_told,
        broken_requests.verifies_no_certificate,
        broken_requests.forgets_whose_certificate_it_is,
        broken_requests.forgets_when_certificates_end,
        broken_requests.trusts_no_authority,
        broken_requests.writes_ipv6_hosts_bare,
        broken_keys.lets_anybody_in,
        broken_endpoints.shows_attempts_without_latency,
        broken_waiting.tells_half_of_the_window,
        broken_waiting.events_count_as_requests,
        broken_analytics.takes_any_time,
        broken_analytics.counts_tests_of_endpoints,
        broken_replays.hides_what_it_skips,
        broken_replays.replays_any_range,
    )
}


def worker_app() -> Flask:
    """A server in one process, on a file or Postgres, with the mutant that the environment names.

    In one process a mutant may remember across accepting and delivering.
    """
    break_it = MUTANTS.get(os.environ["HOOKWRIGHT_MUTANT"])
    if break_it is not None:
        break_it()
    settings = Settings()
    configure_logging(settings.log_level, settings.log_style)
    server = wiring.build(settings)
    server.start()
    register_shutdown(server.stop)
    return server.app
