/*
 * Stands between a program and one folder (LD_PRELOAD), and keeps a journal of what the program writes there and of what it makes
 * durable, so that a test can rebuild the folder as a power cut would have left it. It also plays a full disk and one that has become
 * read-only.
 *
 * One mutex is held over an operation and its record: the journal has the order of the operations, and only its last record may
 * not have happened. A sync is not held up by writes. It counts for what was recorded before it began.
 *
 * Environment: SHIM_FOLDER, SHIM_JOURNAL, SHIM_CONTROL (16 bytes: a mode, seven bytes of nothing, the bytes still free, little
 * endian), SHIM_IGNORE_FDATASYNC.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CREATE = 1, BIND, WRITE, LENGTH, RENAME, UNLINK, SYNC, CANCEL };
enum { FULL = 'F', READ_ONLY = 'R', SYNC_FAILS = 'S' };

#define FILES 65536

struct head {
    uint32_t kind, path_length;
    uint64_t data_length, a, b;
};

struct control {
    volatile char mode;
    char nothing[7];
    volatile uint64_t free;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char folder[PATH_MAX];
static size_t folder_length;
static int journal = -1;
static uint64_t records;
static int ignores_fdatasync;
static struct control healthy;
static struct control *control = &healthy;
/* The inode of each open file below the folder; 0 for all others. */
static ino_t watched[FILES];

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) {
        fprintf(stderr, "shim: there is no %s\n", name);
        abort();
    }
    return found;
}

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_close)(int);

static void begin(void) {
    real_write = REAL(write);
    real_writev = REAL(writev);
    real_pwrite = REAL(pwrite64);
    real_openat = REAL(openat64);
    real_close = REAL(close);
    const char *name = getenv("SHIM_FOLDER");
    if (!name || !getenv("SHIM_JOURNAL")) return;
    snprintf(folder, sizeof folder, "%s", name);
    journal = real_openat(AT_FDCWD, getenv("SHIM_JOURNAL"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal < 0) abort();
    ignores_fdatasync = getenv("SHIM_IGNORE_FDATASYNC") != NULL;
    const char *file = getenv("SHIM_CONTROL");
    int opened = file ? real_openat(AT_FDCWD, file, O_RDWR | O_CLOEXEC) : -1;
    if (opened >= 0) {
        void *page = mmap(NULL, sizeof healthy, PROT_READ | PROT_WRITE, MAP_SHARED, opened, 0);
        if (page != MAP_FAILED) control = page;
        real_close(opened);
    }
    folder_length = strlen(folder);
}

static void enter(void) {
    pthread_once(&once, begin);
    pthread_mutex_lock(&lock);
}

static void leave(void) {
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
}

static void record(uint32_t kind, const char *path, size_t path_length, uint64_t a, uint64_t b, const void *data, size_t length) {
    struct head head = {kind, path_length, length, a, b};
    struct iovec parts[3] = {{&head, sizeof head}, {(void *)path, path_length}, {(void *)data, length}};
    size_t whole = sizeof head + path_length + length;
    if (real_writev(journal, parts, 3) != (ssize_t)whole) abort();
    records++;
}

static void record_path(uint32_t kind, const char *path, uint64_t a) { record(kind, path, strlen(path), a, 0, NULL, 0); }

static void cancel(void) {
    int kept = errno;
    record(CANCEL, NULL, 0, 0, 0, NULL, 0);
    errno = kept;
}

/* The path below the folder, "" for the folder itself; NULL when it lies elsewhere. */
static const char *below(int at, const char *path, char *space) {
    if (!folder_length || !path) return NULL;
    if (path[0] != '/') {
        char link[64];
        char base[PATH_MAX];
        if (at == AT_FDCWD) {
            if (!getcwd(base, sizeof base)) return NULL;
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", at);
            ssize_t length = readlink(link, base, sizeof base - 1);
            if (length < 0) return NULL;
            base[length] = 0;
        }
        if (snprintf(space, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return NULL;
    } else {
        snprintf(space, PATH_MAX, "%s", path);
    }
    size_t length = strlen(space);
    while (length > 1 && space[length - 1] == '/') space[--length] = 0;
    if (strncmp(space, folder, folder_length)) return NULL;
    if (space[folder_length] == 0) return space + folder_length;
    return space[folder_length] == '/' ? space + folder_length + 1 : NULL;
}

static int refuse(int error) {
    errno = error;
    return -1;
}

/* Why nothing can be made or removed just now; 0 when it can. Removing gives room and is always possible on a full disk. */
static int trouble(int makes) {
    if (control->mode == READ_ONLY) return EROFS;
    return makes && control->mode == FULL && control->free == 0 ? ENOSPC : 0;
}

/* How much of a write is taken. */
static ssize_t room(size_t wanted) {
    if (control->mode == READ_ONLY) return refuse(EROFS);
    if (control->mode != FULL) return wanted;
    uint64_t free = control->free;
    if (free == 0 && wanted > 0) return refuse(ENOSPC);
    size_t taken = free < wanted ? free : wanted;
    control->free = free - taken;
    return taken;
}

/* glibc closes some files (of folders that were listed) without asking us, and their numbers are given out again. */
static int is_watched(int file) {
    struct stat64 now;
    if (file < 0 || file >= FILES || !watched[file]) return 0;
    if (fstat64(file, &now) || now.st_ino != watched[file]) watched[file] = 0;
    return watched[file] != 0;
}

static int opened(int at, const char *path, int flags, mode_t mode) {
    char space[PATH_MAX];
    enter();
    const char *own = below(at, path, space);
    struct stat64 known;
    int is_new = own && (flags & O_CREAT) && fstatat64(at, path, &known, 0) != 0;
    int writes = (flags & O_ACCMODE) != O_RDONLY || is_new || (flags & O_TRUNC);
    int error = own && writes ? trouble(is_new) : 0;
    int file = -1;
    if (error) {
        errno = error;
    } else {
        if (is_new) record_path(CREATE, own, 0);
        file = real_openat(at, path, flags, mode);
        if (is_new && file < 0) cancel();
    }
    if (own && file >= 0 && file < FILES && !fstat64(file, &known)) {
        watched[file] = known.st_ino;
        if (is_new) record_path(BIND, own, known.st_ino);
        else if (flags & O_TRUNC) record(LENGTH, NULL, 0, known.st_ino, 0, NULL, 0);
    }
    leave();
    return file;
}

#define MODE(flags)                                         \
    mode_t mode = 0;                                        \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                  \
        va_list rest;                                       \
        va_start(rest, flags);                              \
        mode = va_arg(rest, mode_t);                        \
        va_end(rest);                                       \
    }

int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return opened(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return opened(at, path, flags, mode); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int file) {
    enter();
    if (is_watched(file)) watched[file] = 0;
    int result = real_close(file);
    leave();
    return result;
}

static ssize_t put(int file, const void *data, size_t length, off64_t at) {
    ssize_t taken = room(length);
    if (taken < 0) return -1;
    record(WRITE, NULL, 0, watched[file], at, data, taken);
    ssize_t result = real_pwrite(file, data, taken, at);
    if (result < taken) {
        cancel();
        if (result > 0) record(WRITE, NULL, 0, watched[file], at, data, result);
    }
    return result;
}

ssize_t write(int file, const void *data, size_t length) {
    pthread_once(&once, begin);
    if (!is_watched(file)) return real_write(file, data, length);
    enter();
    off64_t at = lseek64(file, 0, fcntl(file, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    ssize_t result = put(file, data, length, at);
    if (result > 0) lseek64(file, at + result, SEEK_SET);
    leave();
    return result;
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    pthread_once(&once, begin);
    if (!is_watched(file)) return real_writev(file, parts, count);
    /* A short write is allowed: the caller goes on with the rest. */
    for (int part = 0; part < count; part++)
        if (parts[part].iov_len) return write(file, parts[part].iov_base, parts[part].iov_len);
    return 0;
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t at) {
    pthread_once(&once, begin);
    if (!is_watched(file)) return real_pwrite(file, data, length, at);
    enter();
    ssize_t result = put(file, data, length, at);
    leave();
    return result;
}
ssize_t pwrite(int file, const void *data, size_t length, off_t at) { return pwrite64(file, data, length, at); }

ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t at) {
    pthread_once(&once, begin);
    if (!is_watched(file)) return REAL(pwritev64)(file, parts, count, at);
    for (int part = 0; part < count; part++)
        if (parts[part].iov_len) return pwrite64(file, parts[part].iov_base, parts[part].iov_len, at);
    return 0;
}
ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at) { return pwritev64(file, parts, count, at); }

int ftruncate64(int file, off64_t length) {
    enter();
    if (!is_watched(file)) {
        leave();
        return REAL(ftruncate64)(file, length);
    }
    struct stat64 known = {0};
    fstat64(file, &known);
    int result = -1;
    if ((errno = trouble(length > known.st_size)) == 0) {
        record(LENGTH, NULL, 0, watched[file], length, NULL, 0);
        result = REAL(ftruncate64)(file, length);
        if (result) cancel();
    }
    leave();
    return result;
}
int ftruncate(int file, off_t length) { return ftruncate64(file, length); }

/* Reserved room is not journalled: whoever needs it here learns that the shim has to grow. */
int fallocate64(int file, int mode, off64_t at, off64_t length) {
    pthread_once(&once, begin);
    return is_watched(file) ? refuse(EOPNOTSUPP) : REAL(fallocate64)(file, mode, at, length);
}
int fallocate(int file, int mode, off_t at, off_t length) { return fallocate64(file, mode, at, length); }
int posix_fallocate64(int file, off64_t at, off64_t length) {
    pthread_once(&once, begin);
    return is_watched(file) ? EOPNOTSUPP : REAL(posix_fallocate64)(file, at, length);
}
int posix_fallocate(int file, off_t at, off_t length) { return posix_fallocate64(file, at, length); }

/* Copies inside the kernel are refused; std::fs::copy falls back to writes then. */
ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t length, unsigned flags) {
    pthread_once(&once, begin);
    return is_watched(to) ? refuse(EXDEV) : REAL(copy_file_range)(from, from_at, to, to_at, length, flags);
}
ssize_t sendfile64(int to, int from, off64_t *at, size_t length) {
    pthread_once(&once, begin);
    return is_watched(to) ? refuse(EINVAL) : REAL(sendfile64)(to, from, at, length);
}
ssize_t sendfile(int to, int from, off_t *at, size_t length) { return sendfile64(to, from, at, length); }

static int synced(int file, int (*sync)(int), int counts) {
    enter();
    ino_t inode = is_watched(file) ? watched[file] : 0;
    uint64_t before = records;
    char mode = control->mode;
    leave();
    /* What the disk does not take is not made durable either: a read-only disk answers a sync with an error. */
    if (inode && mode == READ_ONLY) return refuse(EROFS);
    if (inode && mode == SYNC_FAILS) return refuse(EIO);
    int result = sync(file);
    if (inode && !result && counts) {
        enter();
        record(SYNC, NULL, 0, inode, before, NULL, 0);
        leave();
    }
    return result;
}

int fsync(int file) { return synced(file, REAL(fsync), 1); }
int fdatasync(int file) {
    pthread_once(&once, begin);
    return synced(file, REAL(fdatasync), !ignores_fdatasync);
}
/* sync_file_range promises neither the file's length nor the disk's cache, so it is not here. */

static int renamed(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    char from_space[PATH_MAX], to_space[PATH_MAX], both[2 * PATH_MAX];
    enter();
    const char *old = below(from_at, from, from_space);
    const char *new = below(to_at, to, to_space);
    int result = -1;
    if (!old && !new) {
        result = REAL(renameat2)(from_at, from, to_at, to, flags);
    } else if (!old || !new || flags) {
        errno = EXDEV;
    } else if ((errno = trouble(0)) == 0) {
        int length = snprintf(both, sizeof both, "%s%c%s", old, 0, new);
        record(RENAME, both, length, 0, 0, NULL, 0);
        result = REAL(renameat)(from_at, from, to_at, to);
        if (result) cancel();
    }
    leave();
    return result;
}
int rename(const char *from, const char *to) { return renamed(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_at, const char *from, int to_at, const char *to) { return renamed(from_at, from, to_at, to, 0); }
int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    return renamed(from_at, from, to_at, to, flags);
}

int unlinkat(int at, const char *path, int flags) {
    char space[PATH_MAX];
    enter();
    const char *own = below(at, path, space);
    int result = -1;
    if ((errno = own ? trouble(0) : 0) == 0) {
        if (own) record_path(UNLINK, own, 0);
        result = REAL(unlinkat)(at, path, flags);
        if (own && result) cancel();
    }
    leave();
    return result;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int at, const char *path, mode_t mode) {
    char space[PATH_MAX];
    enter();
    const char *own = below(at, path, space);
    int result = -1;
    struct stat64 made;
    if ((errno = own ? trouble(1) : 0) == 0) {
        if (own) record_path(CREATE, own, 1);
        result = REAL(mkdirat)(at, path, mode);
        if (own && result) cancel();
        if (own && !result && !fstatat64(at, path, &made, 0)) record_path(BIND, own, made.st_ino);
    }
    leave();
    return result;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
