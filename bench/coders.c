/* What the entropy coders make of quantised weights: bits per weight against the order-0 entropy, speed of encoding and decoding on one thread.
 *
 *   coders [WEIGHTS [FILE ROW]]
 *
 * Rows of 576 Laplace numbers, each row scaled to its largest and rounded to a grid of 3, 4, 5, 6 and 8 bits; or the int8 levels in FILE. Times
 * are the best of several runs. "rans scalar" and "rans vector" are the two decoders of one bitstream. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cpu.h"
#include "base/file.h"
#include "entropy/coder.h"
#include "entropy/coders.h"
#include "entropy/rans.h"

#include "../tests/entropy/streams.h"

enum { RUNS = 7, ROW = 576 };

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* other work on the machine does not count */
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double decode_ns(int id, FvRansStepsFn steps, const FvBytes *coded, FvCodeShape shape, uint8_t *back) {
  double best = INFINITY;
  for (int run = 0; run < RUNS; run++) {
    double start = now_ns();
    int rc = steps ? fv_rans_decode_by(steps, coded->data, coded->size, shape, back, NULL) : fv_coder_decode(id, coded->data, coded->size, shape, back, NULL);
    best = fmin(best, now_ns() - start);
    if (rc < 0) exit(1);
  }
  return best;
}

static void print_row(const char *name, const FvBytes *coded, double entropy, size_t count, double encode, double decode) {
  double bits = (double)coded->size * 8 / (double)count;
  printf("| %-11s | %6.3f | %+7.2f %% | %8.1f | %8.1f |\n", name, bits, 100 * (bits / entropy - 1), (double)count / encode * 1e3,
    (double)count / decode * 1e3);
}

static void bench(const int8_t *levels, FvCodeShape shape) {
  double entropy = order0_entropy(levels, shape.count);
  uint8_t *back = malloc(shape.count);
  printf("| coder       | bits per weight | against entropy %.3f | encode M/s | decode M/s |\n|---|---|---|---|---|\n", entropy);
  for (int id = 0; id < FV_CODER_COUNT; id++) {
    FvBytes coded = {0};
    double start = now_ns();
    if (!back || fv_coder_encode(id, levels, shape, &coded, NULL) < 0) exit(1);
    double encode = now_ns() - start;
    bool rans = id == FV_CODER_RANS;
    print_row(rans ? "rans scalar" : fv_coder_name(id), &coded, entropy, shape.count, encode,
      decode_ns(id, rans ? fv_rans_steps_scalar : NULL, &coded, shape, back));
    if (rans && fv_rans_steps_vector())
      print_row("rans vector", &coded, entropy, shape.count, encode, decode_ns(id, fv_rans_steps_vector(), &coded, shape, back));
    if (memcmp(back, levels, shape.count)) exit(1);
    fv_bytes_finish(&coded);
  }
  printf("\n");
  free(back);
}

int main(int argc, char **argv) {
  static const int grids[] = {3, 4, 5, 6, 8};
  size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1 << 20, size;
  printf("%s\n\n", fv_cpu_name());
  if (argc > 3) {
    void *data;
    FvError err;
    if (fv_file_read(argv[2], 1 << 30, &data, &size, &err) < 0) return fprintf(stderr, "coders: %s\n", err.message), 1;
    bench(data, (FvCodeShape){size, strtoul(argv[3], NULL, 10)});
    free(data);
    return 0;
  }
  int8_t *levels = malloc(count);
  for (size_t i = 0; levels && i < sizeof grids / sizeof *grids; i++) {
    fill_weights(levels, count, ROW, grids[i], 1);
    printf("%zu weights of %d bits\n\n", count, grids[i]);
    bench(levels, (FvCodeShape){count, ROW});
  }
  free(levels);
  return 0;
}
