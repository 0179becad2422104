/*
 * Preloaded into a process, lets one system call of it go wrong: the WRIT_FAULT_NUMBER-th WRIT_FAULT_CALL on
 * WRIT_FAULT_PATH, counted over all threads. WRIT_FAULT_MODE: "fails" (not done, EIO), "persists" (done, and EIO all the
 * same) or "kill" (SIGKILL before it is done). Creates WRIT_FAULT_MARK when it happens. Linux, glibc.
 *
 * strace can neither do a call and then deny it, nor count over threads.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum mode { FAILS, PERSISTS, KILLS };

static const char *fault_call, *fault_path, *fault_mark;
static long fault_number;
static enum mode fault_mode;
static atomic_long seen;

__attribute__((constructor)) static void read_fault(void) {
  const char *mode = getenv("WRIT_FAULT_MODE"), *number = getenv("WRIT_FAULT_NUMBER");
  fault_call = getenv("WRIT_FAULT_CALL");
  fault_path = getenv("WRIT_FAULT_PATH");
  fault_mark = getenv("WRIT_FAULT_MARK");
  if (mode == NULL || number == NULL || fault_path == NULL || fault_mark == NULL) fault_call = NULL;
  if (fault_call == NULL) return;
  fault_number = atol(number);
  fault_mode = strcmp(mode, "kill") == 0 ? KILLS : strcmp(mode, "persists") == 0 ? PERSISTS : FAILS;
}

/* Whether this is the call; a process that is to be killed by it does not return. */
static int is_due(const char *call, const char *path) {
  if (fault_call == NULL || strcmp(call, fault_call) != 0 || strcmp(path, fault_path) != 0) return 0;
  if (atomic_fetch_add(&seen, 1) + 1 != fault_number) return 0;
  long mark = syscall(SYS_openat, AT_FDCWD, fault_mark, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (mark >= 0) syscall(SYS_close, mark);
  if (fault_mode == KILLS) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  return 1;
}

static int is_due_on(const char *call, int fd) {
  if (fault_call == NULL || strcmp(call, fault_call) != 0) return 0;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = '\0';
  return is_due(call, path);
}

static long deny_it(void) {
  errno = EIO;
  return -1;
}

#define REAL(name) ((typeof(name) *)real(#name))
static void *real(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (found == NULL) abort();
  return found;
}

#define FAULTY(call, due, real_call)                  \
  if (!(due)) return real_call;                       \
  if (fault_mode == PERSISTS) (void)!(long)real_call; \
  return deny_it();

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  FAULTY(pwrite64, is_due_on("pwrite64", fd), REAL(pwrite64)(fd, bytes, count, at))
}
ssize_t pread64(int fd, void *bytes, size_t count, off64_t at) {
  FAULTY(pread64, is_due_on("pread64", fd), REAL(pread64)(fd, bytes, count, at))
}
ssize_t write(int fd, const void *bytes, size_t count) {
  FAULTY(write, is_due_on("write", fd), REAL(write)(fd, bytes, count))
}
int fsync(int fd) {
  FAULTY(fsync, is_due_on("fsync", fd), REAL(fsync)(fd))
}
int fdatasync(int fd) {
  FAULTY(fdatasync, is_due_on("fdatasync", fd), REAL(fdatasync)(fd))
}
int ftruncate64(int fd, off64_t length) {
  FAULTY(ftruncate64, is_due_on("ftruncate", fd), REAL(ftruncate64)(fd, length))
}
int rename(const char *from, const char *to) {
  FAULTY(rename, is_due("rename", from), REAL(rename)(from, to))
}
int unlink(const char *path) {
  FAULTY(unlink, is_due("unlink", path), REAL(unlink)(path))
}
int rmdir(const char *path) {
  FAULTY(rmdir, is_due("rmdir", path), REAL(rmdir)(path))
}
int mkdir(const char *path, mode_t mode) {
  FAULTY(mkdir, is_due("mkdir", path), REAL(mkdir)(path, mode))
}
int chmod(const char *path, mode_t mode) {
  FAULTY(chmod, is_due("chmod", path), REAL(chmod)(path, mode))
}

int fcntl64(int fd, int command, ...) {
  va_list rest;
  va_start(rest, command);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  FAULTY(fcntl64, is_due_on("fcntl", fd), REAL(fcntl64)(fd, command, argument))
}

/* Opens a folder within glibc, where open() is not looked up. */
int scandir64(const char *path, struct dirent64 ***names, int (*wanted)(const struct dirent64 *),
              int (*order)(const struct dirent64 **, const struct dirent64 **)) {
  FAULTY(scandir64, is_due("openat", path), REAL(scandir64)(path, names, wanted, order))
}

static int open_it(const char *name, const char *path, int flags, mode_t mode) {
  int (*open_for_real)(const char *, int, ...) = real(name);
  int due = is_due("openat", path);
  if (due && fault_mode == FAILS) return (int)deny_it();
  int fd = open_for_real(path, flags, mode);
  if (!due) return fd;
  if (fd >= 0) syscall(SYS_close, fd);
  return (int)deny_it();
}
int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return open_it("open64", path, flags, mode);
}
int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return open_it("open", path, flags, mode);
}
