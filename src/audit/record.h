/*
 * audit/record - one record of the kernel's audit subsystem, whatever it came in
 *
 * Shape:     a view of the input: type, stamp, and the text of its fields. Text lines (auditd's audit.log, RAW and
 *            ENRICHED, node=, UNKNOWN[n], the printk form) and netlink payloads end as the same xt_record.
 * Units:     time_ms: milliseconds since 1970 UTC, the kernel's coarse clock at syscall entry.
 * Errors:    XT_RECORD_E_CORRUPT with a problem (column = byte in the line from 1): not a record. The caller keeps
 *            the line. XT_RECORD_E_EMPTY: a blank line, nothing to keep.
 * Ownership: all slices are cut from the caller's bytes.
 * Format:    [node=NAME ]type=NAME [msg=]audit(SEC.MMM:SERIAL): BODY[0x1d ENRICHMENT], where the NAME of a type may be
 *            UNKNOWN[N], a number, or capitals that are no known type (XT_RECORD_NAMED);
 *            or "audit: type=N audit(...): BODY" behind anything (printk through dmesg or syslog: as
 *            trustworthy as whoever may write there); or auditd's line behind the "audispd:" or "audisp-syslog[N]:" of
 *            a system log, where 0x1d is written #035. Leading NULs, which a crash leaves, are skipped.
 * Source:    linux kernel/audit.c audit_log_start, audit_log_format; auditd's text format.
 */
#pragma once
#include "base/buf.h"
#include "base/problem.h"

enum {
    XT_RECORD_E_CORRUPT = 1,
    XT_RECORD_E_EMPTY = 2,
};

enum {
    XT_RECORD_CUT = 1 << 0, /* its end is missing */
};

/*
 * The type of a record whose type is a name that is not known (one of a later kernel): the body then begins with that name
 * and the stamp, NAME msg=audit(SEC.MMM:SERIAL): FIELDS; xt_record_cut_name takes them off.
 */
#define XT_RECORD_NAMED UINT16_MAX

typedef struct xt_record {
    uint16_t type; /* AUDIT_SYSCALL = 1300, ... ; see audit/names.h */
    uint16_t flags;
    uint32_t serial; /* wraps; unique only with the time */
    int64_t time_ms;
    xt_slice node;     /* node=NAME in front, else empty */
    xt_slice body;     /* fields as written: after "audit(S.MMM:N):" and its spaces, no newline, no enrichment */
    xt_slice enriched; /* what auditd appended behind 0x1d, may be empty */
} xt_record;

/*
 * What auditd appended, in a record that came through a system log and so has no 0x1d: rsyslog writes that as #035, audisp-syslog as
 * a space, behind which then are names in capitals alone. Lines that stand behind audispd: are read so by themselves.
 */
void xt_record_cut_escaped(xt_record *record);
XT_MUST_USE int xt_record_parse_line(xt_slice line, xt_record *ret, xt_problem *reterr_problem);
/*
 * When another record begins inside of this one (its writer was stopped halfway), cuts the record there, without the
 * word that the cut went through, flags it XT_RECORD_CUT and gives the text from the other's node= or type= on.
 * What stands in a message that a program wrote (msg='...') is never taken for a record.
 */
bool xt_record_split(xt_record *record, xt_slice *ret_rest);
/* The record as a line that parses to the same, without a newline. */
void xt_record_format(const xt_record *record, xt_buf *out);
/* Of the body of a XT_RECORD_NAMED: its name, and the fields behind the stamp. False when it has none. */
bool xt_record_cut_name(xt_slice body, xt_slice *ret_name, xt_slice *ret_fields);
/* payload: the bytes after the nlmsghdr by the received length; a trailing NUL or newline is dropped. */
XT_MUST_USE int xt_record_parse_payload(uint16_t type, xt_slice payload, xt_record *ret, xt_problem *reterr_problem);

/* How a value was written; decides whether it may be hex (audit/value.h). */
typedef enum xt_quoting {
    XT_BARE,   /* value up to the next space */
    XT_DOUBLE, /* "value": literal bytes, never re-read */
    XT_SINGLE, /* msg='...': fields of a program's own making inside */
    XT_BRACED, /* SADDR={ ... }: an interpretation by auditd */
} xt_quoting;

typedef struct xt_audit_field {
    xt_slice name;
    xt_slice value; /* without its quotes or braces */
    xt_quoting quoting;
    bool is_cut; /* the quote or brace that should end it is missing */
} xt_audit_field;

/*
 * Cuts the next name=value off *rest (body, enriched, or the inside of a msg='...'). False at the end.
 * Words without `=` come with an empty name (avc text, "auditd start, ver=3"). A "value" ends at the next quote,
 * msg='...' at the last one of the text, braces are known in auditd's capital names only. What old programs put round
 * bare values ("(hostname=?, addr=?, res=success)") is taken off; AppArmor's "(enforce)" stays with subj and obj.
 * A value whose end is cut off goes to the end. Linear; never fails.
 */
bool xt_audit_field_next(xt_slice *rest, xt_audit_field *ret);
/* The first field of that name, false if absent. Only whole names match: "pid" never finds "ppid". */
bool xt_audit_field_find(xt_slice body, xt_slice name, xt_audit_field *ret);
