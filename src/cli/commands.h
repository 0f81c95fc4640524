/*
 * cli/commands - the one table of what the program can do; --help and the man page follow from it
 *
 * Errors:    a command returns the exit status: 0 done, 1 failed (it has printed one line on standard error).
 */
#pragma once
#include "base/opt.h"

extern const xt_opt_program xt_program;

int xt_cmd_decode(const xt_opt_args *args);
int xt_cmd_server(const xt_opt_args *args);
int xt_cmd_import(const xt_opt_args *args);
int xt_cmd_search(const xt_opt_args *args);
int xt_cmd_export(const xt_opt_args *args);
int xt_cmd_tail(const xt_opt_args *args);
int xt_cmd_session(const xt_opt_args *args);
int xt_cmd_rules_check(const xt_opt_args *args);
int xt_cmd_rules_run(const xt_opt_args *args);
int xt_cmd_rules_explain(const xt_opt_args *args);
int xt_cmd_rules_list(const xt_opt_args *args);
int xt_cmd_alerts_list(const xt_opt_args *args);
int xt_cmd_alerts_show(const xt_opt_args *args);
int xt_cmd_alerts_set(const xt_opt_args *args); /* ack, close, reopen: the command's last word */
int xt_cmd_hosts(const xt_opt_args *args);
int xt_cmd_hosts_group(const xt_opt_args *args);
int xt_cmd_hosts_set(const xt_opt_args *args);
int xt_cmd_hosts_expect(const xt_opt_args *args);
int xt_cmd_hosts_pause(const xt_opt_args *args); /* pause, resume */
int xt_cmd_policy_list(const xt_opt_args *args);
int xt_cmd_policy_history(const xt_opt_args *args);
int xt_cmd_policy_show(const xt_opt_args *args);
int xt_cmd_policy_set(const xt_opt_args *args);
int xt_cmd_policy_change(const xt_opt_args *args); /* roll-out, halt, resume, rollback: the command's last word */
int xt_cmd_ca_list(const xt_opt_args *args);
int xt_cmd_ca_change(const xt_opt_args *args);
int xt_cmd_token_list(const xt_opt_args *args);
int xt_cmd_token_revoke(const xt_opt_args *args);
int xt_cmd_verify(const xt_opt_args *args);
int xt_cmd_completeness(const xt_opt_args *args); /* verify --completeness */
int xt_cmd_hosts_completeness(const xt_opt_args *args);
int xt_cmd_token_new(const xt_opt_args *args);
int xt_cmd_user_add(const xt_opt_args *args);
int xt_cmd_sender_add(const xt_opt_args *args);
int xt_cmd_sender_list(const xt_opt_args *args);
int xt_cmd_sender_remove(const xt_opt_args *args);
int xt_cmd_user_list(const xt_opt_args *args);
int xt_cmd_user_link(const xt_opt_args *args);
int xt_cmd_secret_keygen(const xt_opt_args *args);
int xt_cmd_secret_unseal(const xt_opt_args *args);
int xt_cmd_store_dump(const xt_opt_args *args);
int xt_cmd_store_status(const xt_opt_args *args);
int xt_cmd_hold_add(const xt_opt_args *args);
int xt_cmd_hold_list(const xt_opt_args *args);
int xt_cmd_hold_remove(const xt_opt_args *args);
int xt_cmd_store_erase(const xt_opt_args *args);
int xt_cmd_backup(const xt_opt_args *args);
int xt_cmd_backup_list(const xt_opt_args *args);
int xt_cmd_backup_verify(const xt_opt_args *args);
int xt_cmd_restore(const xt_opt_args *args);
int xt_cmd_forward_add(const xt_opt_args *args);
int xt_cmd_forward_list(const xt_opt_args *args);
int xt_cmd_forward_set(const xt_opt_args *args); /* pause, resume, remove: the command's last word */
int xt_cmd_man(const xt_opt_args *args);

/* Prints the problem as one line; the exit status 1. */
int xt_cli_fail(const xt_problem *problem);
