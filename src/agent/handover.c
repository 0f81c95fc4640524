/* How it works: names of descriptors tell them apart; that of the audit socket carries the pid its owner had. */
#include "agent/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_FD       3
#define MAX_FDS        16
#define AUDIT          "audit."
#define CONNECTOR      "connector"
#define NOTE           "note"
#define MAX_NOTE_BYTES ((size_t)64 << 20)
#define BARRIER_MS     2000

static const char magic[] = "xt-note";

void xt_handover_put_record(xt_buf *out, uint16_t type, xt_slice payload)
{
    xt_buf_put_u32(out, (uint32_t)payload.n);
    xt_buf_put_u32(out, type);
    xt_buf_put(out, payload);
}

bool xt_handover_next_record(xt_slice *rest, xt_netlink_message *ret)
{
    xt_reader reader = xt_reader_of(*rest);
    uint32_t n = xt_reader_u32(&reader), type = xt_reader_u32(&reader);
    xt_slice payload = xt_reader_bytes(&reader, n);
    if (rest->n == 0 || reader.failed || type > UINT16_MAX)
        return false;
    *ret = (xt_netlink_message){.type = (uint16_t)type, .payload = payload};
    *rest = xt_slice_skip(*rest, rest->n - xt_reader_left(&reader));
    return true;
}

void xt_handover_note_put(const xt_handover_note *note, xt_buf *out)
{
    const uint64_t numbers[] = {note->left_ms, note->run, note->run_from_ms, note->beat_ms, note->n_events};
    const xt_slice blocks[] = {note->version, note->reason, note->events, note->records};
    xt_buf_puts(out, magic);
    xt_buf_put_u8(out, XT_HANDOVER_VERSION);
    for (size_t i = 0; i < XT_COUNT_OF(numbers); i++)
        xt_buf_put_varint(out, numbers[i]);
    for (size_t i = 0; i < XT_COUNT_OF(blocks); i++)
        xt_buf_put_block(out, blocks[i]);
}

bool xt_handover_note_get(xt_slice bytes, xt_handover_note *ret, char reterr[static 96])
{
    xt_handover_note note;
    if (!xt_slice_starts(bytes, XT_S("xt-note"))) {
        snprintf(reterr, 96, "it is not a note of this program");
        return false;
    }
    xt_reader reader = xt_reader_of(xt_slice_skip(bytes, sizeof magic - 1));
    unsigned version = xt_reader_u8(&reader);
    uint64_t *const numbers[] = {&note.left_ms, &note.run, &note.run_from_ms, &note.beat_ms, &note.n_events};
    xt_slice *const blocks[] = {&note.version, &note.reason, &note.events, &note.records};
    for (size_t i = 0; i < XT_COUNT_OF(numbers); i++)
        *numbers[i] = xt_reader_varint(&reader);
    for (size_t i = 0; i < XT_COUNT_OF(blocks); i++)
        *blocks[i] = xt_reader_block(&reader);
    if (version != XT_HANDOVER_VERSION) {
        snprintf(reterr, 96, "it is of version %u, this agent knows %u", version, XT_HANDOVER_VERSION);
        return false;
    }
    if (reader.failed || xt_reader_left(&reader) > 0) {
        snprintf(reterr, 96, "it does not hold together");
        return false;
    }
    *ret = note;
    return true;
}

/* ---- receiving ---- */

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int read_all(int fd, xt_buf *out)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_size < 0 || (size_t)st.st_size > MAX_NOTE_BYTES)
        return -EFBIG;
    size_t all = (size_t)st.st_size;
    char *p = xt_buf_reserve(out, all + 1);
    if (!p)
        return -ENOMEM;
    while (out->n < all) {
        ssize_t n = pread(fd, p + out->n, all - out->n, (off_t)out->n);
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        out->n += (size_t)n;
    }
    return 0;
}

void xt_handover_read_note(xt_handover *h)
{
    if (h->note_fd < 0)
        return;
    xt_buf_reset(&h->bytes);
    int r = read_all(h->note_fd, &h->bytes);
    if (r < 0)
        snprintf(h->refused, sizeof h->refused, "it cannot be read: %s", strerror(-r));
    else
        h->has_note = xt_handover_note_get(xt_buf_slice(&h->bytes), &h->note, h->refused);
    close_one(&h->note_fd);
}

static void take_one(xt_handover *h, xt_slice name, int fd)
{
    uint64_t owner;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (xt_slice_starts(name, XT_S(AUDIT)) && xt_slice_parse_u64(xt_slice_skip(name, sizeof AUDIT - 1), &owner) &&
        owner <= INT32_MAX) {
        close_one(&h->audit_fd);
        h->audit_fd = fd;
        h->owner = (pid_t)owner;
    } else if (xt_slice_eq(name, XT_S(CONNECTOR))) {
        close_one(&h->connector_fd);
        h->connector_fd = fd;
    } else if (xt_slice_eq(name, XT_S(NOTE))) {
        close_one(&h->note_fd);
        h->note_fd = fd;
    } else {
        close(fd);
    }
}

static uint64_t number_of(const char *name)
{
    const char *text = getenv(name);
    uint64_t v = 0;
    return text && xt_slice_parse_u64(xt_slice_str(text), &v) ? v : 0;
}

void xt_handover_receive(xt_handover *ret)
{
    const char *names = getenv("LISTEN_FDNAMES");
    uint64_t n = number_of("LISTEN_PID") == (uint64_t)getpid() ? number_of("LISTEN_FDS") : 0;
    xt_slice rest = names ? xt_slice_str(names) : XT_S_NULL, name;
    *ret = (xt_handover){.audit_fd = -1, .connector_fd = -1, .note_fd = -1, .bytes = XT_BUF_INIT};
    for (uint64_t i = 0; i < n && i < MAX_FDS; i++)
        take_one(ret, xt_slice_cut(&rest, ':', &name) ? name : XT_S(""), FIRST_FD + (int)i);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

void xt_handover_fini(xt_handover *h)
{
    close_one(&h->audit_fd);
    close_one(&h->connector_fd);
    close_one(&h->note_fd);
    xt_buf_fini(&h->bytes);
}

/* ---- leaving ---- */

int xt_handover_store_audit(const xt_notify *notify, int fd, pid_t owner, pid_t before)
{
    char name[32];
    if (before > 0)
        (void)xt_notify_say(notify, "FDSTOREREMOVE=1\nFDNAME=" AUDIT "%d", before);
    snprintf(name, sizeof name, AUDIT "%d", owner);
    return xt_notify_store(notify, name, fd);
}

int xt_handover_store_connector(const xt_notify *notify, int fd)
{
    return xt_notify_store(notify, CONNECTOR, fd);
}

void xt_handover_drop_connector(const xt_notify *notify)
{
    (void)xt_notify_say(notify, "FDSTOREREMOVE=1\nFDNAME=" CONNECTOR);
}

void xt_handover_drop_note(const xt_notify *notify)
{
    (void)xt_notify_say(notify, "FDSTOREREMOVE=1\nFDNAME=" NOTE);
}

void xt_handover_drop(const xt_notify *notify, pid_t owner)
{
    (void)xt_notify_say(notify, "FDSTOREREMOVE=1\nFDNAME=" AUDIT "%d", owner);
    xt_handover_drop_connector(notify);
    xt_handover_drop_note(notify);
    xt_notify_wait(notify, BARRIER_MS);
}

int xt_handover_store_note(const xt_notify *notify, const xt_handover_note *note)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_handover_note_put(note, &out);
    int r = xt_buf_done(&out);
    int fd = r == 0 ? memfd_create("exectrail-note", MFD_CLOEXEC | MFD_ALLOW_SEALING) : -1;
    if (r == 0 && fd < 0)
        r = -errno;
    xt_slice rest = xt_buf_slice(&out);
    while (r == 0 && rest.n > 0) {
        ssize_t n = write(fd, rest.p, rest.n);
        r = n < 0 ? -errno : 0;
        rest = xt_slice_skip(rest, n > 0 ? (size_t)n : 0);
    }
    if (r == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        r = -errno;
    if (r == 0)
        r = xt_notify_store(notify, NOTE, fd);
    if (r == 0)
        xt_notify_wait(notify, BARRIER_MS);
    if (fd >= 0)
        close(fd);
    return r < 0 ? xt_error_trace(r) : 0;
}
