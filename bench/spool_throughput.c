/* How fast a spool takes records: large ones against plain writes of the same bytes to a file beside it, in turn, and small ones by number.
 *
 *   spool-throughput [-m MEGABYTES] [-n RUNS] DIRECTORY
 *
 * DIRECTORY must exist; what is written there is removed. Nothing is synced within a run, as `dd` does without conv=; one run of each comes before the ones that count. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <fovea/spool.h>

enum { LARGE = 256 << 10, SMALL = 100, MAX_RUNS = 101 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, compare);
  return values[count / 2];
}

static void fail(const char *what) {
  fprintf(stderr, "spool-throughput: %s\n", what);
  exit(1);
}

static void remove_spool(const char *path) {
  DIR *dir = opendir(path);
  for (struct dirent *entry; dir && (entry = readdir(dir));)
    if (entry->d_name[0] != '.') unlinkat(dirfd(dir), entry->d_name, 0);
  if (dir) closedir(dir);
  rmdir(path);
}

/* Records a second. */
static double append_records(const char *path, const char *data, size_t size, long count) {
  FvSpool *spool;
  FvError err;
  if (fv_spool_open(&fv_spool_params(.directory = path, .max_bytes = INT64_C(1) << 36, .segment_bytes = 64 << 20, .sync_interval_ms = 3600000), &spool, &err) < 0) fail(err.message);
  double start = now();
  for (long i = 0; i < count; i++)
    if (fv_spool_append(spool, &(FvSpoolRecord){.data = data, .size = size}, NULL, &err) < 0) fail(err.message);
  double rate = (double)count / (now() - start);
  fv_spool_close(&spool);
  remove_spool(path);
  return rate;
}

static double write_plainly(const char *path, const char *data, long count) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) fail(path);
  double start = now();
  for (long i = 0; i < count; i++)
    if (write(fd, data, LARGE) != LARGE) fail("short write");
  double rate = (double)count / (now() - start);
  fsync(fd); /* of no account, but the next run shall not wait for it */
  close(fd);
  unlink(path);
  return rate;
}

int main(int argc, char **argv) {
  long megabytes = 512, runs = 5;
  for (int option; (option = getopt(argc, argv, "m:n:")) != -1;) {
    if (option == 'm') megabytes = strtol(optarg, NULL, 10);
    if (option == 'n') runs = strtol(optarg, NULL, 10);
  }
  if (optind != argc - 1 || megabytes < 1 || runs < 1 || runs > MAX_RUNS) {
    fprintf(stderr, "usage: spool-throughput [-m MEGABYTES] [-n RUNS] DIRECTORY\n");
    return 2;
  }
  char spool[4000], file[4000];
  double large[MAX_RUNS], plain[MAX_RUNS], small[MAX_RUNS];
  char *data = malloc(LARGE);
  if (!data) fail("out of memory");
  for (long i = 0; i < LARGE; i++) data[i] = (char)(i * 2654435761u >> 13);
  snprintf(spool, sizeof spool, "%s/spool-throughput", argv[optind]);
  snprintf(file, sizeof file, "%s/spool-throughput.plain", argv[optind]);
  for (long run = -1; run < runs; run++) {
    long at = run < 0 ? 0 : run, count = megabytes << 2;
    plain[at] = write_plainly(file, data, count) * LARGE / 1e6;
    large[at] = append_records(spool, data, LARGE, count) * LARGE / 1e6;
    small[at] = append_records(spool, data, SMALL, 500000);
  }
  double of_plain = median(plain, (int)runs), of_large = median(large, (int)runs);
  printf("large records (%d KiB): %.0f MB/s, plain writes %.0f MB/s, that is %.0f %%\n", LARGE >> 10, of_large, of_plain, 100 * of_large / of_plain);
  printf("small records (%d bytes): %.0f a second\n", SMALL, median(small, (int)runs));
  free(data);
  return 0;
}
