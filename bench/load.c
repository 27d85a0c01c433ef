/* How long models take to load, and how much memory: fovea files against the ONNX files they were made from.
 *
 *   load [-n RUNS] [-t THREADS] [-b SMALL_MODEL] MODEL…
 *
 * Each run opens every file in turn and makes a plan of it, so that what else the machine does falls on all alike; medians and least times are printed, and the least
 * processor time of all threads together. Peak memory is what a process
 * that opens and plans once has more than one that does so with SMALL_MODEL (without it: with none), so that what every load needs does not count;
 * pages of code never do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <fovea/fovea.h>

enum { MAX_FILES = 32, MAX_RUNS = 1001 };

typedef struct File {
  const char *path;
  double open_ms[MAX_RUNS], plan_ms[MAX_RUNS], whole_ms[MAX_RUNS], work_ms[MAX_RUNS];
  long file_kib, packed_kib, peak_kib;
} File;

static double now_ms(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void load(File *file, int threads, int run) {
  FvModel *model = NULL;
  FvPlan *plan = NULL;
  FvError err;
  double start = now_ms(CLOCK_MONOTONIC), work = now_ms(CLOCK_PROCESS_CPUTIME_ID);
  if (fv_model_open(file->path, &fv_model_params(.signature = FV_SIGNATURE_OFF), &model, &err) < 0) exit((fprintf(stderr, "load: %s\n", err.message), 1));
  double opened = now_ms(CLOCK_MONOTONIC);
  if (fv_plan_create(model, &fv_plan_params(.device = "cpu", .threads = threads), &plan, &err) < 0) exit((fprintf(stderr, "load: %s: %s\n", file->path, err.message), 1));
  double planned = now_ms(CLOCK_MONOTONIC);
  file->open_ms[run] = opened - start;
  file->plan_ms[run] = planned - opened;
  file->whole_ms[run] = planned - start;
  file->work_ms[run] = now_ms(CLOCK_PROCESS_CPUTIME_ID) - work;
  file->packed_kib = (long)(fv_plan_info(plan).weight_bytes >> 10);
  fv_plan_destroy(&plan);
  fv_model_destroy(&model);
}

/* Without the pages of programs and libraries, which all processes share. */
static long peak_kib(void) {
  char line[256];
  long peak = 0, mapped = 0;
  FILE *status = fopen("/proc/self/status", "re");
  while (status && fgets(line, sizeof line, status)) {
    sscanf(line, "VmHWM: %ld", &peak);
    sscanf(line, "RssFile: %ld", &mapped);
  }
  if (status) fclose(status);
  return peak - mapped;
}

/* In a process of its own: VmHWM never falls. file NULL: nothing is loaded. */
static long measure_peak(File *file, int threads) {
  int ends[2];
  long kib = 0;
  if (pipe(ends) < 0) return 0;
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    if (file) load(file, threads, 0);
    kib = peak_kib();
    _exit(write(ends[1], &kib, sizeof kib) != sizeof kib);
  }
  close(ends[1]);
  if (child < 0 || read(ends[0], &kib, sizeof kib) != sizeof kib) kib = 0;
  close(ends[0]);
  if (child > 0) waitpid(child, NULL, 0);
  return kib;
}

static void print(File *file, int runs) {
  qsort(file->open_ms, (size_t)runs, sizeof(double), compare);
  qsort(file->plan_ms, (size_t)runs, sizeof(double), compare);
  qsort(file->whole_ms, (size_t)runs, sizeof(double), compare);
  qsort(file->work_ms, (size_t)runs, sizeof(double), compare);
  double whole = (double)(file->file_kib + file->packed_kib);
  printf("| %-40s | %7.2f | %7.2f | %7.2f | %7.2f | %7.2f | %7ld | %7ld | %7ld | %5.2f |\n", strrchr(file->path, '/') ? strrchr(file->path, '/') + 1 : file->path, file->open_ms[runs / 2],
         file->plan_ms[runs / 2], file->whole_ms[runs / 2], file->whole_ms[0], file->work_ms[0], file->file_kib, file->packed_kib, file->peak_kib, (double)file->peak_kib / whole);
}

int main(int argc, char **argv) {
  static File files[MAX_FILES];
  static File small;
  int runs = 31, threads = 1, count = 0;
  for (int option; (option = getopt(argc, argv, "n:t:b:")) != -1;) {
    if (option == '?') return 1;
    if (option == 'b') small.path = optarg;
    else *(option == 'n' ? &runs : &threads) = atoi(optarg);
  }
  runs = runs < 1 ? 1 : runs > MAX_RUNS ? MAX_RUNS : runs;
  for (int i = optind; i < argc && count < MAX_FILES; i++) files[count++].path = argv[i];
  long base = measure_peak(small.path ? &small : NULL, threads);
  for (int i = 0; i < count; i++) {
    struct stat info;
    files[i].file_kib = stat(files[i].path, &info) == 0 ? (long)(info.st_size >> 10) : 0;
    files[i].peak_kib = measure_peak(&files[i], threads) - base;
  }
  for (int run = 0; run < runs; run++)
    for (int i = 0; i < count; i++) load(&files[i], threads, run);
  printf("| file | open ms | plan ms | both ms | least ms | work ms | file KiB | packed KiB | peak KiB | peak over file and packed |\n|---|---|---|---|---|---|---|---|---|---|\n");
  for (int i = 0; i < count; i++) print(&files[i], runs);
  return count ? 0 : 1;
}
