/* How it works: groups first, then ids, then capabilities: each step needs the right that the next one gives up. */
#include "agent/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

int xt_privilege_user_find(const char *name, xt_privilege_user *ret, xt_problem *reterr_problem)
{
    char bytes[4096];
    struct passwd entry, *found = NULL;
    const char *const names[] = {name ? name : "exectrail", name ? NULL : "nobody"};
    for (unsigned i = 0; i < XT_COUNT_OF(names) && !found; i++)
        if (names[i] && getpwnam_r(names[i], &entry, bytes, sizeof bytes, &found) != 0)
            found = NULL;
    if (!found || found->pw_uid == 0) {
        xt_problem_set(reterr_problem, "there is no unprivileged user %s to run the sender as", name ? name : "nobody");
        xt_problem_hint(reterr_problem, "name one with --user");
        return xt_error_origin(-ENOENT);
    }
    *ret = (xt_privilege_user){found->pw_uid, found->pw_gid};
    return 0;
}

int xt_privilege_drop(const xt_privilege_user *user)
{
    if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
                           setresuid(user->uid, user->uid, user->uid) < 0))
        return xt_error_origin(-errno);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return xt_error_origin(-errno);
    capng_clear(CAPNG_SELECT_BOTH);
    if (geteuid() != 0 && capng_apply(CAPNG_SELECT_CAPS) < 0)
        return xt_error_origin(-EPERM);
    return 0;
}

int xt_privilege_read(const xt_privilege_user *user)
{
    const capng_type_t kinds = (capng_type_t)(CAPNG_EFFECTIVE | CAPNG_PERMITTED);
    if (geteuid() != 0)
        return xt_privilege_drop(user);
    capng_clear(CAPNG_SELECT_BOTH);
    if (capng_updatev(CAPNG_ADD, kinds, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, -1) < 0 ||
        capng_change_id((int)user->uid, (int)user->gid, CAPNG_DROP_SUPP_GRP) < 0)
        return xt_error_origin(-EPERM);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return xt_error_origin(-errno);
    return 0;
}

int xt_privilege_keep(void)
{
    static const unsigned kept[] = {CAP_AUDIT_CONTROL, CAP_AUDIT_READ, CAP_AUDIT_WRITE,
                                    CAP_NET_ADMIN,     CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH};
    bool held[XT_COUNT_OF(kept)];
    if (capng_get_caps_process() < 0)
        return xt_error_origin(-EPERM);
    for (size_t i = 0; i < XT_COUNT_OF(kept); i++)
        held[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]);
    bool drops_bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return xt_error_origin(-errno);
    capng_clear(CAPNG_SELECT_BOTH);
    for (size_t i = 0; i < XT_COUNT_OF(kept); i++)
        if (held[i])
            (void)capng_update(CAPNG_ADD, (capng_type_t)(CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET),
                               kept[i]);
    if (capng_apply(drops_bounds ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) < 0)
        return xt_error_origin(-EPERM);
    return 0;
}
