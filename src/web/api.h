/*
 * web/api - the handlers behind the table of routes, one file a resource; docs/api.md says what each answers
 */
#pragma once
#include "server/erase.h"
#include "web/route.h"

struct xt_json;

int xt_api_login(xt_app *app, xt_request *request, xt_response *response); /* api_login.c */
int xt_api_logout(xt_app *app, xt_request *request, xt_response *response);
int xt_api_me(xt_app *app, xt_request *request, xt_response *response);
int xt_api_status(xt_app *app, xt_request *request, xt_response *response); /* api_status.c */
int xt_api_fields(xt_app *app, xt_request *request, xt_response *response);
int xt_api_search(xt_app *app, xt_request *request, xt_response *response); /* api_search.c */
int xt_api_by(xt_app *app, xt_request *request, xt_response *response);     /* api_by.c: search?by= */
int xt_api_histogram(xt_app *app, xt_request *request, xt_response *response);
int xt_api_event(xt_app *app, xt_request *request, xt_response *response);
int xt_api_event_unseal(xt_app *app, xt_request *request, xt_response *response); /* api_unseal.c */
int xt_api_tail(xt_app *app, xt_request *request, xt_response *response);
int xt_api_session(xt_app *app, xt_request *request, xt_response *response);
int xt_api_session_tree(xt_app *app, xt_request *request, xt_response *response);
int xt_api_alerts(xt_app *app, xt_request *request, xt_response *response); /* api_alerts.c */
int xt_api_alert(xt_app *app, xt_request *request, xt_response *response);
int xt_api_alert_ack(xt_app *app, xt_request *request, xt_response *response);
int xt_api_alert_close(xt_app *app, xt_request *request, xt_response *response);
int xt_api_alert_reopen(xt_app *app, xt_request *request, xt_response *response);
int xt_api_senders(xt_app *app, xt_request *request, xt_response *response); /* api_senders.c */
int xt_api_sender_tokens(xt_app *app, xt_request *request, xt_response *response);
int xt_api_sender_token_new(xt_app *app, xt_request *request, xt_response *response);
int xt_api_sender_token_remove(xt_app *app, xt_request *request, xt_response *response);
int xt_api_hosts(xt_app *app, xt_request *request, xt_response *response); /* api_hosts.c */
int xt_api_host_revoke(xt_app *app, xt_request *request, xt_response *response);
int xt_api_host_group(xt_app *app, xt_request *request, xt_response *response);
int xt_api_host_restore(xt_app *app, xt_request *request, xt_response *response);
int xt_api_completeness(xt_app *app, xt_request *request, xt_response *response);
int xt_api_host_completeness(xt_app *app, xt_request *request, xt_response *response);
int xt_api_host_quarantine(xt_app *app, xt_request *request, xt_response *response);
int xt_api_host_release(xt_app *app, xt_request *request, xt_response *response);
int xt_api_policies(xt_app *app, xt_request *request, xt_response *response); /* api_policy.c */
int xt_api_policy_history(xt_app *app, xt_request *request, xt_response *response);
int xt_api_policy_text(xt_app *app, xt_request *request, xt_response *response);
int xt_api_policy_set(xt_app *app, xt_request *request, xt_response *response);
int xt_api_policy_roll_out(xt_app *app, xt_request *request, xt_response *response);
int xt_api_policy_halt(xt_app *app, xt_request *request, xt_response *response);
int xt_api_policy_resume(xt_app *app, xt_request *request, xt_response *response);
int xt_api_policy_roll_back(xt_app *app, xt_request *request, xt_response *response);
int xt_api_host_pause(xt_app *app, xt_request *request, xt_response *response);
int xt_api_host_resume(xt_app *app, xt_request *request, xt_response *response);
int xt_api_inventory(xt_app *app, xt_request *request, xt_response *response);
int xt_api_inventory_set(xt_app *app, xt_request *request, xt_response *response);
int xt_api_cas(xt_app *app, xt_request *request, xt_response *response);
int xt_api_ca_rotate(xt_app *app, xt_request *request, xt_response *response);
int xt_api_ca_retire(xt_app *app, xt_request *request, xt_response *response);
int xt_api_rules(xt_app *app, xt_request *request, xt_response *response); /* api_rules.c */
int xt_api_rule_explain(xt_app *app, xt_request *request, xt_response *response);
int xt_api_rules_reload(xt_app *app, xt_request *request, xt_response *response);
int xt_api_token_new(xt_app *app, xt_request *request, xt_response *response); /* api_users.c */
int xt_api_tokens(xt_app *app, xt_request *request, xt_response *response);
int xt_api_token_revoke(xt_app *app, xt_request *request, xt_response *response);
int xt_api_users(xt_app *app, xt_request *request, xt_response *response);
int xt_api_user_add(xt_app *app, xt_request *request, xt_response *response);
int xt_api_user_link(xt_app *app, xt_request *request, xt_response *response);
int xt_api_import(xt_app *app, xt_request *request, xt_response *response);
int xt_api_seal(xt_app *app, xt_request *request, xt_response *response); /* api_store.c */
int xt_api_ledger_head(xt_app *app, xt_request *request, xt_response *response);
int xt_api_verify(xt_app *app, xt_request *request, xt_response *response);
int xt_api_store(xt_app *app, xt_request *request, xt_response *response); /* api_care.c */
int xt_api_holds(xt_app *app, xt_request *request, xt_response *response);
int xt_api_erasures(xt_app *app, xt_request *request, xt_response *response); /* api_erase.c */
int xt_api_erase(xt_app *app, xt_request *request, xt_response *response);
void xt_erasure_json(const xt_erasure *erasure, struct xt_json *json); /* its members, in an object that is open */
int xt_api_hold_add(xt_app *app, xt_request *request, xt_response *response);
int xt_api_hold_remove(xt_app *app, xt_request *request, xt_response *response);
int xt_api_backup(xt_app *app, xt_request *request, xt_response *response);   /* api_backup.c */
int xt_api_forwards(xt_app *app, xt_request *request, xt_response *response); /* api_forward.c */
int xt_api_forward(xt_app *app, xt_request *request, xt_response *response);
int xt_api_forward_add(xt_app *app, xt_request *request, xt_response *response);
int xt_api_forward_pause(xt_app *app, xt_request *request, xt_response *response);
int xt_api_forward_resume(xt_app *app, xt_request *request, xt_response *response);
int xt_api_forward_remove(xt_app *app, xt_request *request, xt_response *response);
int xt_page_index(xt_app *app, xt_request *request, xt_response *response); /* page_files.c */
int xt_page_file(xt_app *app, xt_request *request, xt_response *response);

/* api_completeness.c: as members of an object; and the request's times, of which without any the last day is meant. */
void xt_completeness_json(const xt_completeness *of, struct xt_json *json);
XT_MUST_USE int xt_completeness_times(xt_app *app, const xt_request *request, xt_completeness_wish *ret,
                                      xt_problem *problem);
