/* Runs ONNX's conformance cases: onnx-node-tests [--device D] [--reference] [--verbose] [--expected FILE] [DIR…]
 *
 * Without DIR it takes $FOVEA_SHARED_DIR/models/conformance, and exits with 77 where that is missing. Each case runs in a process of its own, so
 * that none can take the others down. With --expected the run succeeds when exactly the listed cases do not pass. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"

enum { CASE_SECONDS = 60, MAX_DEPTH = 8, SKIPPED = 77, PATH_SIZE = 4096 };

typedef struct Runner {
  Options options;
  bool verbose, has_expected;
  Expected expected;
  Verdict *verdict; /* shared with the cases' processes */
  const char *root;
  int count[3];     /* by Outcome */
  int surprises;
} Runner;

static void wait_for_case(Runner *runner, pid_t child) {
  int status = 0;
  Verdict *verdict = runner->verdict;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  verdict->outcome = FAILED;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
    snprintf(verdict->reason, sizeof verdict->reason, "took more than %d s", CASE_SECONDS);
  else
    snprintf(verdict->reason, sizeof verdict->reason, "crashed: %s", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "bad exit");
}

/* A case's name is its path below the folder given, without ".onnx". */
static void report(Runner *runner, const char *path) {
  const Verdict *verdict = runner->verdict;
  const char *name = path + strlen(runner->root);
  while (*name == '/') name++;
  int known = runner->has_expected ? expected_find(&runner->expected, name) : -1;
  runner->count[verdict->outcome]++;
  if (verdict->outcome == PASSED && runner->verbose) printf("pass %s (%s)\n", name, verdict->operation);
  if (verdict->outcome != PASSED) {
    printf("%s %s (%s): %s\n", verdict->outcome == FAILED ? "FAIL" : "UNSUPPORTED", name, verdict->operation, verdict->reason);
    if (known >= 0) runner->expected.seen[known] = true;
    runner->surprises += known < 0;
  } else if (known >= 0 && runner->expected.optional[known]) {
    runner->expected.seen[known] = true;
  } else if (known >= 0) {
    printf("PASSES NOW %s (%s): take it out of the expected failures\n", name, verdict->operation);
    runner->expected.seen[known] = true;
    runner->surprises++;
  }
}

static void run_isolated(Runner *runner, const char *model, const char *directory, const char *name) {
  *runner->verdict = (Verdict){.outcome = FAILED, .operation = "?"};
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    alarm(CASE_SECONDS);
    run_case(model, directory, &runner->options, runner->verdict);
    _exit(0);
  }
  if (child > 0)
    wait_for_case(runner, child);
  else
    snprintf(runner->verdict->reason, sizeof runner->verdict->reason, "cannot start a process");
  report(runner, name);
}

static bool ends_with(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length > tail && strcmp(text + length - tail, end) == 0;
}

static void visit_file(Runner *runner, const char *path) {
  char output[PATH_SIZE], name[PATH_SIZE];
  if (!ends_with(path, ".onnx")) return;
  snprintf(name, sizeof name, "%.*s", (int)(strlen(path) - strlen(".onnx")), path);
  snprintf(output, sizeof output, "%.4000s_output_0.pb", name);
  if (access(output, F_OK) == 0) run_isolated(runner, path, NULL, name);
}

static void visit_directory(Runner *runner, const char *path, int depth) {
  char below[PATH_SIZE];
  struct dirent **entries;
  snprintf(below, sizeof below, "%s/model.onnx", path);
  if (access(below, F_OK) == 0) {
    run_isolated(runner, below, path, path);
    return;
  }
  int count = depth < MAX_DEPTH ? scandir(path, &entries, NULL, alphasort) : 0;
  for (int i = 0; i < count; i++) {
    struct stat info;
    snprintf(below, sizeof below, "%.3500s/%.255s", path, entries[i]->d_name);
    if (entries[i]->d_name[0] != '.' && stat(below, &info) == 0) {
      if (S_ISDIR(info.st_mode))
        visit_directory(runner, below, depth + 1);
      else
        visit_file(runner, below);
    }
    free(entries[i]);
  }
  if (count > 0) free(entries);
}

static int usage(const char *program, FILE *out) {
  fprintf(out,
          "usage: %s [OPTION]… [DIR]…\n"
          "Runs the conformance cases below each DIR (default $FOVEA_SHARED_DIR/models/conformance).\n"
          "  --device D       device to run on (default cpu)\n"
          "  --reference      reference kernels only\n"
          "  --expected FILE  succeed when exactly the cases listed in FILE do not pass\n"
          "  --verbose        print passed cases too\n",
          program);
  return out == stdout ? 0 : 2;
}

/* Returns the index of the first DIR, or the negative of an exit status minus one. */
static int parse(Runner *runner, int argc, char **argv) {
  int i = 1;
  for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
    bool more = i + 1 < argc;
    if (strcmp(argv[i], "--help") == 0) return -1 - usage(argv[0], stdout);
    if (strcmp(argv[i], "--reference") == 0) {
      runner->options.plan_flags |= FV_PLAN_REFERENCE;
    } else if (strcmp(argv[i], "--verbose") == 0) {
      runner->verbose = true;
    } else if (strcmp(argv[i], "--device") == 0 && more) {
      runner->options.device = argv[++i];
    } else if (strcmp(argv[i], "--expected") == 0 && more) {
      runner->has_expected = expected_read(&runner->expected, argv[++i]);
      if (runner->has_expected) continue;
      fprintf(stderr, "%s: cannot be read\n", argv[i]);
      return -3;
    } else {
      return -1 - usage(argv[0], stderr);
    }
  }
  return i;
}

static int visit_root(Runner *runner, const char *root) {
  struct stat info;
  if (stat(root, &info) != 0 || !S_ISDIR(info.st_mode)) {
    fprintf(stderr, "%s: no such folder\n", root);
    return -1;
  }
  runner->root = root;
  visit_directory(runner, root, 0);
  return 0;
}

static int visit_default(Runner *runner) {
  char root[PATH_SIZE];
  const char *shared = getenv("FOVEA_SHARED_DIR");
  snprintf(root, sizeof root, "%s/models/conformance", shared ? shared : "../shared");
  if (access(root, F_OK) == 0) return visit_root(runner, root);
  printf("skipped: %s is missing\n", root);
  return SKIPPED;
}

static bool has_device(const char *device) {
  FvDeviceInfo devices[32];
  if (strcmp(device, "cpu") == 0) return true;
  int count = fv_devices_list(devices, 32);
  for (int i = 0; i < count && i < 32; i++)
    if (devices[i].usable && strncmp(devices[i].id, device, strlen(device)) == 0) return true;
  return false;
}

static int conclude(Runner *runner) {
  for (int i = 0; i < runner->expected.count; i++) {
    if (runner->expected.seen[i]) continue;
    printf("NOT FOUND %s: listed as an expected failure\n", runner->expected.names[i]);
    runner->surprises++;
  }
  printf("%d passed, %d failed, %d unsupported\n", runner->count[PASSED], runner->count[FAILED], runner->count[UNSUPPORTED]);
  int total = runner->count[PASSED] + runner->count[FAILED] + runner->count[UNSUPPORTED];
  return total == 0 || (runner->has_expected ? runner->surprises : runner->count[FAILED]) > 0;
}

int main(int argc, char **argv) {
  Runner runner = {.options = {.device = "cpu"}};
  int first = parse(&runner, argc, argv), status = 0;
  if (first < 0) return -1 - first;
  runner.verdict = mmap(NULL, sizeof *runner.verdict, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (runner.verdict == MAP_FAILED) return 2;
  if (!has_device(runner.options.device)) {
    printf("skipped: there is no device '%s'\n", runner.options.device);
    status = SKIPPED;
  } else if (first == argc) {
    status = visit_default(&runner);
  }
  for (int i = first; i < argc && status == 0; i++) status = visit_root(&runner, argv[i]);
  if (status == 0) status = conclude(&runner);
  expected_finish(&runner.expected);
  munmap(runner.verdict, sizeof *runner.verdict);
  return status < 0 ? 2 : status;
}
