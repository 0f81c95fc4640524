/*
 * agent/agent_commands - the agent's subcommands, each with the exit status as its value
 */
#pragma once
#include "base/opt.h"

int xt_agent_run(const xt_opt_args *args);
int xt_agent_status(const xt_opt_args *args);
int xt_agent_rules(const xt_opt_args *args);
int xt_agent_install_plugin(const xt_opt_args *args);
int xt_agent_uninstall_plugin(const xt_opt_args *args);
