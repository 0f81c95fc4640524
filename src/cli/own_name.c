/* The login uid is what the kernel keeps of who logged in; getpwuid is asked once, by one thread. */
#include "cli/own_name.h"

#include <pwd.h>
#include <unistd.h>

#include "io/vfs.h"

const char *xt_cli_own_name(void)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    uint64_t uid = UINT32_MAX;
    if (xt_vfs_read_file(&xt_vfs_system, "/proc/self/loginuid", 64, &text) < 0 ||
        !xt_slice_parse_u64(xt_slice_trim(xt_buf_slice(&text)), &uid) || uid == UINT32_MAX)
        uid = getuid();
    const struct passwd *entry = getpwuid((uid_t)uid);
    return entry ? entry->pw_name : NULL;
}
