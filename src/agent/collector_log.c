/* How it works: what could not be written is told when it begins, and when lines are written again; never more often. */
#include "agent/collector_private.h"

#include <errno.h>

#include "base/log.h"

int xt_collector_log_open(xt_collector *c, xt_problem *reterr_problem)
{
    const xt_log_writer_settings settings = {c->settings->write_log, c->settings->write_log_bytes,
                                             c->settings->write_log_files};
    if (!settings.path)
        return 0;
    if (c->watch.mode != XT_WATCH_OWNER) {
        xt_log(XT_LOG_WARN, "%s is not written: that is for the owner of the audit socket, and this agent is %s",
               settings.path, xt_watch_mode_name(c->watch.mode));
        return 0;
    }
    int r = xt_log_writer_open(&settings, &c->log, reterr_problem);
    if (r == -ENOMEM)
        return xt_error_trace(r);
    if (r < 0) {
        xt_log_problem(XT_LOG_ERROR, reterr_problem);
        xt_collector_say(c, "log-not-written", "%s: %s", settings.path, reterr_problem->sentence);
    }
    return 0;
}

void xt_collector_log_turn(xt_collector *c)
{
    if (!c->log)
        return;
    xt_log_writer_stats now = xt_log_writer_stats_get(c->log), *told = &c->log_told;
    const char *path = c->settings->write_log;
    if (now.n_lost > told->n_lost && !c->log_is_bad) {
        const char *why = now.error ? strerror(now.error) : "the disk is too slow";
        c->log_is_bad = true;
        xt_log(XT_LOG_ERROR, "%s: %s: events are missing there, and only there", path, why);
        xt_collector_say(c, "log-not-written", "%s: %s: events are missing there, and only there", path, why);
    } else if (c->log_is_bad && now.n_lost == told->n_lost && now.error == 0 && now.n_written > told->n_written) {
        c->log_is_bad = false;
        xt_log(XT_LOG_WARN, "%s is written again; %llu events are missing there", path, (unsigned long long)now.n_lost);
        xt_collector_say(c, "log-written-again",
                         "%s is written again; %llu events are missing there since the agent began", path,
                         (unsigned long long)now.n_lost);
    }
    *told = now;
}
