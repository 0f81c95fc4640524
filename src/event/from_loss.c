/*
 * What the kernel promises with a system call's record, and whether it is there. A promise is made by a call that
 * succeeded: its record was collected on the way, and it is written at the end or lost. One exception: while no rule is
 * loaded nothing is collected, and a record that something else forces (a login, a change of rules, a denial) stands
 * alone with the call's own; so a promise counts where a rule's key is told or nothing else is in the event.
 * docs/audit-cases.md lists what nothing tells of.
 */
#include <linux/audit.h>

#include "audit/names.h"
#include "audit/value.h"
#include "event/conversion.h"

typedef enum promise_when {
    ALWAYS,
    WHEN_SET,        /* the argument is not 0 */
    WHEN_CLEAR,      /* the argument has not that bit */
    WHEN_COMMAND,    /* the argument is that command of System V IPC */
    WHEN_COMMAND_TO, /* or one up to it */
} promise_when;

typedef struct promise {
    const char *call;
    uint8_t sub; /* of a multiplexer: its first argument */
    uint16_t type;
    promise_when when;
    unsigned argument;
    uint64_t value;
} promise;

#define MAP_ANON_BIT 0x20 /* on the machines asked */
#define COMMAND_MASK 0xff /* without IPC_64 */
#define SUB_MASK     0xffff
enum {
    COMMAND_SET = 1,
    COMMAND_STAT = 2, /* 0: IPC_RMID */
};

/* Source: linux kernel/auditsc.c show_special and audit_log_exit, and who calls the functions that collect for them. */
static const promise promises[] = {
    {"bind", 0, AUDIT_SOCKADDR, ALWAYS, 0, 0},
    {"connect", 0, AUDIT_SOCKADDR, ALWAYS, 0, 0},
    {"socketcall", 0, AUDIT_SOCKETCALL, ALWAYS, 0, 0},
    {"socketcall", 2, AUDIT_SOCKADDR, ALWAYS, 0, 0}, /* bind */
    {"socketcall", 3, AUDIT_SOCKADDR, ALWAYS, 0, 0}, /* connect */
    {"socketcall", 8, AUDIT_FD_PAIR, ALWAYS, 0, 0},  /* socketpair */
    {"socketpair", 0, AUDIT_FD_PAIR, ALWAYS, 0, 0},
    {"pipe", 0, AUDIT_FD_PAIR, ALWAYS, 0, 0},
    {"pipe2", 0, AUDIT_FD_PAIR, ALWAYS, 0, 0},
    {"capset", 0, AUDIT_CAPSET, ALWAYS, 0, 0},
    {"mmap", 0, AUDIT_MMAP, WHEN_CLEAR, 3, MAP_ANON_BIT},
    {"mmap2", 0, AUDIT_MMAP, WHEN_CLEAR, 3, MAP_ANON_BIT},
    {"mq_open", 0, AUDIT_MQ_OPEN, ALWAYS, 0, 0},
    {"mq_timedsend", 0, AUDIT_MQ_SENDRECV, ALWAYS, 0, 0},
    {"mq_timedreceive", 0, AUDIT_MQ_SENDRECV, ALWAYS, 0, 0},
    {"mq_timedsend_time64", 0, AUDIT_MQ_SENDRECV, ALWAYS, 0, 0},
    {"mq_timedreceive_time64", 0, AUDIT_MQ_SENDRECV, ALWAYS, 0, 0},
    {"mq_notify", 0, AUDIT_MQ_NOTIFY, ALWAYS, 0, 0},
    {"mq_getsetattr", 0, AUDIT_MQ_GETSETATTR, WHEN_SET, 1, 0},
    {"shmat", 0, AUDIT_IPC, ALWAYS, 0, 0},
    {"msgsnd", 0, AUDIT_IPC, ALWAYS, 0, 0},
    {"msgrcv", 0, AUDIT_IPC, ALWAYS, 0, 0},
    {"semop", 0, AUDIT_IPC, ALWAYS, 0, 0},
    {"semtimedop", 0, AUDIT_IPC, ALWAYS, 0, 0},
    {"semtimedop_time64", 0, AUDIT_IPC, ALWAYS, 0, 0},
    {"shmctl", 0, AUDIT_IPC, WHEN_COMMAND_TO, 1, COMMAND_STAT},
    {"msgctl", 0, AUDIT_IPC, WHEN_COMMAND_TO, 1, COMMAND_STAT},
    {"semctl", 0, AUDIT_IPC, WHEN_COMMAND_TO, 2, COMMAND_STAT},
    {"shmctl", 0, AUDIT_IPC_SET_PERM, WHEN_COMMAND, 1, COMMAND_SET},
    {"msgctl", 0, AUDIT_IPC_SET_PERM, WHEN_COMMAND, 1, COMMAND_SET},
    {"semctl", 0, AUDIT_IPC_SET_PERM, WHEN_COMMAND, 2, COMMAND_SET},
    {"ipc", 1, AUDIT_IPC, ALWAYS, 0, 0},  /* semop */
    {"ipc", 4, AUDIT_IPC, ALWAYS, 0, 0},  /* semtimedop */
    {"ipc", 11, AUDIT_IPC, ALWAYS, 0, 0}, /* msgsnd */
    {"ipc", 12, AUDIT_IPC, ALWAYS, 0, 0}, /* msgrcv */
    {"ipc", 21, AUDIT_IPC, ALWAYS, 0, 0}, /* shmat */
    {"ipc", 3, AUDIT_IPC, WHEN_COMMAND_TO, 3, COMMAND_STAT},
    {"ipc", 14, AUDIT_IPC, WHEN_COMMAND_TO, 2, COMMAND_STAT},
    {"ipc", 24, AUDIT_IPC, WHEN_COMMAND_TO, 2, COMMAND_STAT},
    {"ipc", 3, AUDIT_IPC_SET_PERM, WHEN_COMMAND, 3, COMMAND_SET},
    {"ipc", 14, AUDIT_IPC_SET_PERM, WHEN_COMMAND, 2, COMMAND_SET},
    {"ipc", 24, AUDIT_IPC_SET_PERM, WHEN_COMMAND, 2, COMMAND_SET},
};

static size_t count_records(const xt_group *group, uint16_t type)
{
    size_t n = 0;
    for (size_t i = 0; i < group->n_records; i++)
        n += group->records[i].type == type;
    return n;
}

static bool read_argument(const xt_conversion *c, unsigned number, uint64_t *ret)
{
    char name[] = {'a', (char)('0' + number)};
    xt_audit_field field;
    return xt_audit_field_find(c->head->body, xt_slice_of(name, sizeof name), &field) &&
           xt_slice_parse_hex(field.value, ret);
}

/* Whether flags of mmap stand in its fourth argument and mean what they mean here: i386's older call has a pointer. */
static bool has_known_mmap(const xt_conversion *c)
{
    return xt_slice_eq(xt_event_bytes(c->event, XT_F_SYSCALL), XT_S("mmap"))
               ? c->arch == AUDIT_ARCH_X86_64 || c->arch == AUDIT_ARCH_AARCH64
               : c->arch == AUDIT_ARCH_I386 || c->arch == AUDIT_ARCH_ARM;
}

static bool is_promised(const xt_conversion *c, const promise *p)
{
    uint64_t sub, value;
    if (p->sub && (!read_argument(c, 0, &sub) || (sub & SUB_MASK) != p->sub))
        return false;
    if (p->when == ALWAYS)
        return true;
    if (!read_argument(c, p->argument, &value))
        return false;
    switch (p->when) {
    case WHEN_SET:
        return value != 0;
    case WHEN_CLEAR:
        return !(value & p->value) && has_known_mmap(c);
    case WHEN_COMMAND:
        return (value & COMMAND_MASK) == p->value;
    default:
        return (value & COMMAND_MASK) <= p->value;
    }
}

/* Names what is missing; the flag stands if anything is. */
static void look_for_promised(xt_conversion *c)
{
    xt_slice call = xt_event_bytes(c->event, XT_F_SYSCALL);
    char text[64];
    xt_buf names = XT_BUF_ON(text);
    for (size_t i = 0; i < XT_COUNT_OF(promises); i++) {
        const promise *p = &promises[i];
        if (!xt_slice_eq(call, xt_slice_str(p->call)) || !is_promised(c, p) || count_records(c->group, p->type) > 0)
            continue;
        if (names.n > 0)
            xt_buf_putc(&names, ',');
        xt_buf_puts(&names, xt_record_type_name(p->type));
    }
    if (names.n == 0)
        return;
    c->flags |= XT_FLAG_MISSING_RECORD;
    char *copy = xt_conversion_alloc(c, names.n);
    if (copy) {
        memcpy(copy, text, names.n);
        xt_event_set_bytes(c->event, XT_F_MISSING, xt_slice_of(copy, names.n));
    }
}

/* A message queue's name counts with its folder's, which is not shown (AUDIT_INODE_HIDDEN). */
static uint64_t n_hidden_paths(const xt_conversion *c)
{
    xt_slice call = xt_event_bytes(c->event, XT_F_SYSCALL);
    return xt_slice_eq(call, XT_S("mq_open")) || xt_slice_eq(call, XT_S("mq_unlink"));
}

/* Older kernels note the working directory with the first name only: an open file has none. */
static bool has_named_path(const xt_conversion *c)
{
    for (size_t i = 0; i < c->n_paths; i++)
        if (c->paths[i].has_name)
            return true;
    return false;
}

static void look_for_paths(xt_conversion *c)
{
    uint64_t n_items = xt_event_num(c->event, XT_F_ITEMS, 0);
    bool lacks_path = n_items > c->n_paths + n_hidden_paths(c);
    c->flags |= lacks_path ? XT_FLAG_MISSING_PATH : 0;
    if (c->head && c->head->type == AUDIT_SYSCALL && n_items > 0 && !xt_event_has(c->event, XT_F_CWD) &&
        (lacks_path || has_named_path(c)))
        c->flags |= XT_FLAG_MISSING_CWD;
}

/* Written at the end of a system call only. */
static bool is_of_a_syscall(const xt_conversion *c)
{
    return !c->deciding || count_records(c->group, AUDIT_PROCTITLE) > 0;
}

void xt_conversion_flag_losses(xt_conversion *c)
{
    bool has_succeeded = xt_slice_eq(xt_event_bytes(c->event, XT_F_SUCCESS), XT_S("yes"));
    if (c->is_exec && c->head && has_succeeded && c->args.n_records == 0)
        c->flags |= XT_FLAG_MISSING_EXECVE;
    look_for_paths(c);
    if (!c->head && is_of_a_syscall(c))
        c->flags |= XT_FLAG_NO_SYSCALL;
    if (!c->is_exec && c->head && c->head->type == AUDIT_SYSCALL && has_succeeded &&
        (!c->deciding || xt_event_has(c->event, XT_F_KEY)))
        look_for_promised(c);
}
