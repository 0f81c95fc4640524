/*
 * audit/interpret - what the value of a field means, beside the value
 *
 * Shape:     a pure function of a record's type, the system call, and a field's name and value. A field is interpreted
 *            only where its name means in that type of record what the interpretation takes it for: flags= in MMAP,
 *            fp= in BPRM_FCAPS but not in CRYPTO_KEY_USER, mode= of a file in PATH but rights alone in MQ_OPEN, ...
 * Format:    flags by the kernel's names with | between, numbers without a name as 0x...; an error as
 *            EACCES(Permission denied); a file's mode as file,suid,755; capabilities without CAP_ in small letters,
 *            commas between, or none; ids as names where the source has one, unset for 4294967295; a socket address as
 *            audit/sockaddr has it; a device in decimal; a title's arguments with spaces between; keys that were typed
 *            by name (<ret>, <^C>); what returns an address in hex.
 * Source:    names and values of audit/names and audit/value_sets; what an argument is, from the kernel's prototypes.
 * Limits:    numbers of errors, signals, flags and options are those of asm-generic, with the open flags of arm,
 *            aarch64, ppc; of mips, which has its own, no number that differs is interpreted.
 */
#pragma once
#include "audit/names.h"
#include "base/buf.h"

typedef struct xt_interpret_context {
    uint16_t record_type;
    uint32_t arch;               /* 0: not known */
    xt_slice syscall;            /* its name; empty: not known, arguments mean nothing then */
    uint64_t args[4];            /* a0 to a3 of the record, what is not there as 0 */
    uint64_t called;             /* of a SOCKETCALL record: a0 of the system call, which says what was asked for */
    const xt_name_source *names; /* of ids; may be NULL */
} xt_interpret_context;

/*
 * value: decoded where it is a string (audit/value.h), else as written (a sockaddr in hex). Appends what it means;
 * false when nothing is known that the value does not say itself, and nothing was appended.
 */
bool xt_interpret(const xt_interpret_context *context, xt_slice name, xt_slice value, xt_buf *out);
/* What argument `index` (0 to 3) of the system call means. */
bool xt_interpret_argument(const xt_interpret_context *context, unsigned index, uint64_t value, xt_buf *out);
/* A file's mode: kind, special bits, rights (file,suid,755). */
void xt_interpret_mode(uint64_t mode, xt_buf *out);
/* A user's or group's name, unset, or nothing (false). */
bool xt_interpret_id(const xt_name_source *names, uint64_t id, bool is_group, xt_buf *out);
/* Whether errors, signals and flags have asm-generic's numbers there. */
bool xt_interpret_is_generic(uint32_t arch);
