/*
 * How it works: of a range that has no holes, as many were seen as it is long. So two numbers do for any amount of events, in
 * any order. The file is a page of shared memory: a put is some stores, and what was stored is there after a SIGKILL. After
 * a power cut it may be old; then the boot is another one.
 */
#include "agent/serial_count.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOT_BYTES 40

typedef struct slot {
    uint64_t sequence, base, max, n;
    int64_t at_ms;
    uint64_t check;
} slot;

typedef struct page {
    char boot[BOOT_BYTES];
    slot slots[2];
} page;

struct xt_serial_file {
    page *page;
    uint64_t sequence;
};

void xt_serial_count_see(xt_serial_count *c, uint32_t serial)
{
    if (!c->max) {
        c->base = c->max = (UINT64_C(1) << 32) + serial; /* what is older has room below */
        c->n = 1;
        return;
    }
    uint64_t at = c->max + (uint64_t)(int64_t)(int32_t)(serial - (uint32_t)c->max);
    if (at < c->base)
        return;
    c->n++;
    if (at <= c->mark)
        c->n_mark++;
    if (at > c->max)
        c->max = at;
}

void xt_serial_count_turn(xt_serial_count *c, int64_t now_ms, int64_t settle_ms)
{
    uint64_t all = c->mark ? c->mark - c->base + 1 : 0, missing = all > c->n_mark ? all - c->n_mark : 0;
    c->newly = 0;
    if (!c->max || (c->mark && now_ms - c->at_ms < settle_ms))
        return;
    if (missing > c->n_missing) {
        c->newly = missing - c->n_missing;
        c->from = c->before + 1;
        c->to = c->mark - 1;
        c->since_ms = c->before_ms;
    }
    c->n_missing = missing;
    if (c->max == c->mark)
        return; /* so that a quiet time is part of what lies before the next one */
    c->before = c->mark ? c->mark : c->base;
    c->before_ms = c->mark ? c->at_ms : now_ms;
    c->mark = c->max;
    c->n_mark = c->n;
    c->at_ms = now_ms;
}

/* ------------------------------------------------------------------------------------------------ file */

static uint64_t check_of(const slot *s)
{
    return xt_slice_hash(xt_slice_of((const char *)s, offsetof(slot, check)));
}

static bool is_of_boot(const page *p, const char *boot_id)
{
    return strnlen(p->boot, BOOT_BYTES) < BOOT_BYTES && strcmp(p->boot, boot_id) == 0;
}

static const slot *newest(const page *p)
{
    const slot *best = NULL;
    for (size_t i = 0; i < XT_COUNT_OF(p->slots); i++) {
        const slot *s = &p->slots[i];
        if (s->sequence && s->check == check_of(s) && (!best || s->sequence > best->sequence))
            best = s;
    }
    return best;
}

int xt_serial_file_open(const char *name, const char *boot_id, xt_serial_file **ret)
{
    xt_serial_file *file = calloc(1, sizeof *file);
    if (!file)
        return xt_error_origin(-ENOMEM);
    int r = 0, fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || (r = posix_fallocate(fd, 0, sizeof(page))) != 0)
        r = fd < 0 ? -errno : -r;
    void *at = r == 0 ? mmap(NULL, sizeof(page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (r == 0 && at == MAP_FAILED)
        r = -errno;
    if (fd >= 0)
        close(fd);
    if (r < 0) {
        free(file);
        return r;
    }
    file->page = at;
    if (!is_of_boot(file->page, boot_id)) {
        memset(file->page, 0, sizeof *file->page);
        memcpy(file->page->boot, boot_id, strnlen(boot_id, BOOT_BYTES - 1));
    }
    const slot *last = newest(file->page);
    file->sequence = last ? last->sequence : 0;
    *ret = file;
    return 0;
}

xt_serial_file *xt_serial_file_close(xt_serial_file *file)
{
    if (file)
        munmap(file->page, sizeof *file->page);
    free(file);
    return NULL;
}

void xt_serial_file_put(xt_serial_file *file, const xt_serial_count *c)
{
    slot next = {++file->sequence, c->base, c->max, c->n, c->at_ms, 0};
    next.check = check_of(&next);
    file->page->slots[file->sequence % 2] = next;
    atomic_signal_fence(memory_order_seq_cst); /* the next put, to the other slot, comes after it */
}

int xt_serial_file_read(const char *path, const char *boot_id, xt_serial_count *ret)
{
    page p;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, &p, sizeof p);
    close(fd);
    const slot *s = n == (ssize_t)sizeof p && is_of_boot(&p, boot_id) ? newest(&p) : NULL;
    if (!s || s->base > s->max || s->n > s->max - s->base + 1)
        return -ENOENT;
    *ret = (xt_serial_count){.base = s->base,
                             .max = s->max,
                             .n = s->n,
                             .mark = s->max,
                             .n_mark = s->n,
                             .before = s->max,
                             .at_ms = s->at_ms,
                             .before_ms = s->at_ms};
    return 0;
}
