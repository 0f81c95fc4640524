#include "event/tty_program.h"

#define MAX_COMM 15

/* clang-format off */
static const char *const secret_names[] = {
    /* become somebody else, log in */
    "sudo", "sudoedit", "sudo-rs", "su", "su-rs", "doas", "pkexec", "runuser", "login", "newgrp", "sg", "kinit",
    "kpasswd", "ksu", "sulogin", "agetty", "getty", "pkttyagent", "vlock", "physlock", "screenlock",
    /* accounts */
    "passwd", "chpasswd", "gpasswd", "chsh", "chfn", "chage", "smbpasswd", "htpasswd", "htdigest", "vncpasswd",
    "tigervncpasswd", "ldappasswd", "ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapwhoami", "mkpasswd",
    "grub-mkpasswd-p", "slappasswd", "saslpasswd2",
    /* elsewhere */
    "ssh", "slogin", "scp", "sftp", "sshpass", "ssh-add", "ssh-keygen", "ssh-copy-id", "ssh-askpass", "telnet",
    "inetutils-telne", "telnet.netkit", "rlogin", "rsh", "ftp", "lftp", "ncftp", "tnftp", "mosh-client", "dbclient",
    "smbclient", "mount.cifs", "mount.smb3", "rdesktop", "xfreerdp", "openconnect", "openvpn", "vpnc", "rsync",
    "curl", "wget", "virsh", "minicom", "picocom", "cu",
    /* keys and encrypted things */
    "gpg", "gpg2", "gpg-agent", "gpgsm", "openssl", "cryptsetup", "veritysetup", "systemd-cryptse", "ecryptfs-unwrap",
    "encfs", "gocryptfs", "veracrypt", "age", "rage", "keepassxc-cli", "keyctl", "keytool", "certtool",
    "pinentry", "zip", "unzip", "7z", "7za", "7zr", "rar", "unrar", "restic", "borg", "ansible-vault", "vault", "bw",
    "op", "systemd-tty-ask", "systemd-ask-pas", "step", "fscrypt", "zfs",
    /* data bases and services with a password on the terminal */
    "psql", "pg_dump", "pg_dumpall", "pg_restore", "createuser", "createdb", "dropdb", "sqlplus", "mongo", "mongosh",
    "redis-cli", "isql", "sqlcmd", "clickhouse", "clickhouse-clie", "docker", "podman", "git-remote-http",
    "git-credential-", "svn", "kubectl",
    /* pass on every key, also those of a prompt in the terminal inside, whose programs are audited for themselves */
    "tmux", "tmux: client", "screen", "script", "dtach", "abduco", "asciinema", "ttyrec", "socat", "expect",
};
static const char *const secret_prefixes[] = {"mysql", "mariadb", "pinentry", "cryptsetup"};
static const char *const screen_names[] = {
    "vi", "vim", "vim.basic", "vim.tiny", "vim.nox", "nvim", "view", "vimdiff", "ex", "nano", "rnano", "pico", "emacs",
    "mg", "jed", "joe", "ne", "micro", "hx", "helix", "kak", "less", "more", "most", "man", "pg", "top", "htop", "atop",
    "btop", "iotop", "mc", "mcedit", "ranger", "nnn", "tig", "mutt", "whiptail", "dialog", "fzf",
};
static const char *const shells[] = {
    "sh", "bash", "rbash", "dash", "zsh", "zsh5", "ksh", "ksh93", "mksh", "lksh", "ash", "fish", "tcsh", "csh", "yash",
};
/* clang-format on */

static bool is_one_of(xt_slice name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (xt_slice_eq(name, xt_slice_str(names[i])))
            return true;
    return false;
}

static bool is_secret(xt_slice comm)
{
    for (size_t i = 0; i < XT_COUNT_OF(secret_prefixes); i++)
        if (xt_slice_starts(comm, xt_slice_str(secret_prefixes[i])))
            return true;
    return is_one_of(comm, secret_names, XT_COUNT_OF(secret_names));
}

/* A shell may call itself sudo by /proc/self/comm; its lines stay. */
static bool is_shell(xt_slice exe)
{
    size_t at = exe.n;
    while (at > 0 && exe.p[at - 1] != '/')
        at--;
    return is_one_of(xt_slice_skip(exe, at), shells, XT_COUNT_OF(shells));
}

xt_tty_use xt_tty_program_use(xt_slice comm, xt_slice exe)
{
    comm = xt_slice_head(comm, MAX_COMM);
    if (is_secret(comm))
        return is_shell(exe) ? XT_TTY_USE_LINES : XT_TTY_USE_SECRET;
    return is_one_of(comm, screen_names, XT_COUNT_OF(screen_names)) ? XT_TTY_USE_SCREEN : XT_TTY_USE_LINES;
}
