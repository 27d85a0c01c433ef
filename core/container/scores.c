#include <stdlib.h>

#include "base/text.h"
#include "container/byte_io.h"
#include "container/envelope.h"

enum { MAX_GROUP_BYTES = 63 };

int fv_scores_check(const FvScoreHistogram *scores, int count, FvError *err) {
  if (count < 0 || count > FV_MAX_SCORE_GROUPS)
    return fv_error_set(err, FV_ERR_LIMIT, "%d histograms of scores, more than the %d allowed", count, FV_MAX_SCORE_GROUPS);
  for (int i = 0; i < count; i++) {
    size_t size = strlen(scores[i].group);
    if (size < 1 || size > MAX_GROUP_BYTES || !fv_text_is_clean(scores[i].group))
      return fv_error_set(err, FV_ERR_LIMIT, "the name of histogram %d is empty or too long, or has control characters, or is not UTF-8", i);
    for (int bin = 0; bin < FV_SCORE_BINS; bin++)
      if (scores[i].counts[bin] < 0) return fv_error_set(err, FV_ERR_INVALID, "histogram '%s' has a negative count", scores[i].group);
  }
  return 0;
}

void fv_scores_write(FvBytes *bytes, const FvScoreHistogram *scores, int count) {
  fv_put_number(bytes, (uint64_t)count);
  for (int i = 0; i < count; i++) {
    fv_put_number(bytes, strlen(scores[i].group));
    fv_bytes_append(bytes, scores[i].group, strlen(scores[i].group));
    for (int bin = 0; bin < FV_SCORE_BINS; bin++) fv_put_number(bytes, (uint64_t)scores[i].counts[bin]);
  }
}

static void read_histogram(FvByteReader *reader, FvScoreHistogram *histogram, char *name) {
  uint64_t size = fv_read_number(reader);
  const uint8_t *group = size <= MAX_GROUP_BYTES ? fv_read_bytes(reader, size) : NULL;
  reader->failed = reader->failed || !group || memchr(group, 0, (size_t)size);
  if (reader->failed) return;
  memcpy(name, group, (size_t)size);
  name[size] = '\0';
  histogram->group = name;
  for (int bin = 0; bin < FV_SCORE_BINS; bin++) {
    uint64_t seen = fv_read_number(reader);
    reader->failed = reader->failed || seen > INT64_MAX;
    histogram->counts[bin] = (int64_t)seen;
  }
}

int fv_scores_read(const void *data, size_t size, FvScoreHistogram **ret_scores, int *ret_count, FvError *err) {
  FvByteReader reader = {.at = data, .end = (const uint8_t *)data + size};
  int count = (int)fv_read_count(&reader, FV_MAX_SCORE_GROUPS);
  FvScoreHistogram *scores = malloc(((size_t)count + 1) * (sizeof *scores + MAX_GROUP_BYTES + 1));
  if (!scores) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  char *names = (char *)(scores + count + 1);
  for (int i = 0; i < count && !reader.failed; i++) read_histogram(&reader, &scores[i], names + (size_t)i * (MAX_GROUP_BYTES + 1));
  int result = reader.failed || reader.at != reader.end ? fv_error_set(err, FV_ERR_FORMAT, "section 'scores' is malformed") : fv_scores_check(scores, count, err);
  if (result < 0) {
    free(scores);
    return result;
  }
  *ret_scores = scores;
  *ret_count = count;
  return 0;
}
