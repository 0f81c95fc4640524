/*
 * agent/sandbox - what each of the agent's processes may still ask of the kernel
 *
 * Shape:     four roles, four lists of system calls. What is not in its list is not done, says ENOSYS, and is a
 *            SECCOMP record of audit's; what only an intruder asks for (another program, another process's memory, a module)
 *            ends the process. Beside it: what may still be written to, and no core file.
 * Errors:    <0 errno. XT_SANDBOX_E_ABSENT: this kernel, this build or this unit does not let the process do that to
 *            itself; the process goes on with what it has, and says so.
 * Threads:   the calling thread and those that it starts later.
 * Limits:    x86-64 and what else libseccomp names calls for. Builds with a sanitizer have no filter: sanitizers use calls
 *            of their own.
 * Source:    seccomp(2), landlock(7), mount_namespaces(7).
 */
#pragma once
#include <stddef.h>

#include "base/error.h"

enum {
    XT_SANDBOX_E_ABSENT = 1,
    XT_SANDBOX_E_LINKS, /* of xt_sandbox_mounts: done, but this kernel (before 5.14) follows links of /proc all the same */
};

typedef enum xt_sandbox_role {
    XT_SANDBOX_COLLECTOR,
    XT_SANDBOX_SHIPPER,
    XT_SANDBOX_HELPER,
    XT_SANDBOX_DIGESTER,         /* opens files to read them, and speaks over what is open already */
    XT_SANDBOX_COLLECTOR_BESIDE, /* auditd, to whose local socket it connects */
} xt_sandbox_role;

/* For good, for this thread and all that come of it; with no_new_privs. */
XT_MUST_USE int xt_sandbox_filter(xt_sandbox_role role);
/*
 * A view of the file system in which everything is read-only but for these folders (those that are not there are left out), devices
 * are not opened, and links of /proc are read but not followed (/proc/self is one); takes root's rights. What is open already
 * stays as it is, and what is mounted on the host later comes into it as it is there.
 */
XT_MUST_USE int xt_sandbox_mounts(const char *const *writable, size_t n);
/* Without rights, and with no_new_privs: from now on nothing is written to but what is below folder (-1: nothing). */
XT_MUST_USE int xt_sandbox_writes(int folder);
/* No core file, for memory holds commands; max_files descriptors. */
XT_MUST_USE int xt_sandbox_limits(size_t max_files);
