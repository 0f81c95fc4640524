/*
 * How it works: auditd keeps its socket and starts this agent, which it feeds with every record on standard input. Only
 * the plugin's file is written; auditd reads it when it is told to, so that nothing restarts by itself.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/agent_commands.h"
#include "agent/agent_settings.h"
#include "base/log.h"
#include "io/vfs.h"

static const char *plugin_path(const xt_opt_args *args)
{
    return xt_opt_get(args, "file");
}

static void say_reload(void)
{
    printf("Now tell auditd to read its plugins again:  auditctl --signal reload   (or kill -HUP $(pidof auditd))\n");
}

static int failed(const char *path, const char *doing, int error)
{
    fprintf(stderr, "exectrail-agent: %s cannot be %s: %s; is auditd installed, and are you root?\n", path, doing,
            strerror(error));
    return 1;
}

int xt_agent_install_plugin(const xt_opt_args *args)
{
    char program[PATH_MAX], config[PATH_MAX], text[2 * PATH_MAX + 512];
    const char *path = plugin_path(args), *asked = xt_opt_get(args, "config");
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n < 0)
        return failed("/proc/self/exe", "read", errno);
    program[n] = '\0';
    if (!realpath(asked, config)) {
        fprintf(stderr,
                "exectrail-agent: %s: %s; write the agent's settings there first (server = HOST:PORT, and token = T to "
                "enrol)\n",
                asked, strerror(errno));
        return 1;
    }
    xt_buf out = XT_BUF_ON(text);
    xt_buf_printf(
        &out,
        "# Feeds the Exectrail agent with every audit record; removed by `exectrail-agent uninstall-plugin`.\n"
        "active = yes\ndirection = out\npath = %s\ntype = always\nargs = --plugin --config=%s\nformat = string\n",
        program, config);
    int r = xt_buf_done(&out);
    if (r == 0)
        r = xt_vfs_replace_file(&xt_vfs_system, path, xt_buf_slice(&out), 0640);
    if (r < 0)
        return failed(path, "written", -r);
    printf("%s is written. ", path);
    say_reload();
    return 0;
}

int xt_agent_uninstall_plugin(const xt_opt_args *args)
{
    const char *path = plugin_path(args);
    if (unlink(path) < 0 && errno != ENOENT)
        return failed(path, "removed", errno);
    printf("%s is removed. ", path);
    say_reload();
    return 0;
}
