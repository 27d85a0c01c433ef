#include <stdlib.h>
#include <string.h>

#include "container/blocks.h"
#include "container/format.h"

/* From so many bytes on the elements of a tensor are worth streams of their own. */
enum { ALONE_BYTES = 2048 };

struct FvBlockDraft {
  FvBlockKind kind;
  int family;
  bool alone;
  FvBytes elements;
};

void fv_block_writer_finish(FvBlockWriter *writer) {
  for (int i = 0; i < writer->count; i++) fv_bytes_finish(&writer->drafts[i].elements);
  free(writer->drafts);
  *writer = (FvBlockWriter){0};
}

static int add_draft(FvBlockWriter *writer, FvBlockDraft draft) {
  if (writer->count == writer->capacity) {
    int capacity = writer->capacity ? 2 * writer->capacity : 64;
    FvBlockDraft *grown = realloc(writer->drafts, sizeof *grown * (size_t)capacity);
    if (!grown) return -1;
    writer->drafts = grown;
    writer->capacity = capacity;
  }
  writer->drafts[writer->count] = draft;
  return writer->count++;
}

static int find_shared(const FvBlockWriter *writer, FvBlockKind kind, int family) {
  for (int i = 0; i < writer->count; i++) {
    const FvBlockDraft *draft = &writer->drafts[i];
    if (!draft->alone && draft->family == family && draft->kind.width == kind.width && draft->kind.planes == kind.planes && draft->kind.row == kind.row) return i;
  }
  return -1;
}

FvBlockPlace fv_blocks_add(FvBlockWriter *writer, FvBlockKind kind, int family, const void *elements, uint64_t count) {
  bool alone = count * kind.width >= ALONE_BYTES;
  int index = alone ? -1 : find_shared(writer, kind, family);
  if (index < 0) index = add_draft(writer, (FvBlockDraft){.kind = kind, .family = family, .alone = alone});
  if (index < 0 || !elements) {
    writer->failed = true;
    return (FvBlockPlace){0};
  }
  FvBytes *bytes = &writer->drafts[index].elements;
  FvBlockPlace place = {index, bytes->size / kind.width};
  if (!fv_bytes_append(bytes, elements, (size_t)(count * kind.width))) writer->failed = true;
  return place;
}

/* --- coding --- */


static FvBytes plane_of(const FvBlockDraft *draft, int plane) {
  FvBytes bytes = {0};
  size_t width = draft->kind.width, count = draft->elements.size / width;
  uint8_t *to = fv_bytes_grow(&bytes, count);
  for (size_t i = 0; to && i < count; i++) to[i] = draft->elements.data[width * i + (size_t)plane];
  return bytes;
}

typedef struct Coding {
  FvBlockWriter *writer;
  const FvCoderLimits *limits;
  FvCoderTrial *trials; /* of the streams of block 0, of block 1 … */
  size_t count;
  FvError *err;
} Coding;

static int try_block(Coding *coding, const FvBlockDraft *draft) {
  int result = 0;
  for (int k = 0; result == 0 && k < fv_block_streams(draft->kind); k++) {
    FvBytes plane = draft->kind.planes ? plane_of(draft, k) : draft->elements;
    FvCodeShape shape = {.count = plane.size, .row = (size_t)draft->kind.row};
    result = plane.failed ? fv_error_set(coding->err, FV_ERR_NO_MEMORY, "out of memory") : fv_coder_try(coding->limits, plane.data, shape, &coding->trials[coding->count], coding->err);
    coding->count += result == 0;
    if (draft->kind.planes) fv_bytes_finish(&plane);
  }
  return result;
}

static void put_stream(const FvCoderWay *way, FvBytes *directory, FvBytes *section) {
  fv_put_byte(directory, way->id);
  if (way->id != FV_CODER_NONE) fv_put_number(directory, way->coded.size);
  fv_put_zeros(section, (size_t)(fv_stream_place(section->size, way->id, way->coded.size) - section->size));
  fv_bytes_append(section, way->coded.data, way->coded.size);
}

/* Bytes apart that nobody coded are better together: they can be used where they are. */
static bool is_worth_planes(const FvBlockDraft *draft, const FvCoderTrial *trials) {
  bool any = false;
  for (int k = 0; k < fv_block_streams(draft->kind); k++) any |= trials[k].ways[trials[k].chosen].id != FV_CODER_NONE;
  return draft->kind.planes && any;
}

static void put_plain(const FvBlockDraft *draft, FvBytes *directory, FvBytes *section) {
  FvCoderWay way = {.id = FV_CODER_NONE, .coded = draft->elements};
  put_stream(&way, directory, section);
}

static void put_blocks(const Coding *coding, FvBytes *directory, FvBytes *section) {
  const FvCoderTrial *trial = coding->trials;
  fv_put_number(directory, (uint64_t)coding->writer->count);
  for (int i = 0; i < coding->writer->count; i++) {
    const FvBlockDraft *draft = &coding->writer->drafts[i];
    bool planes = is_worth_planes(draft, trial);
    fv_put_byte(directory, draft->kind.width | (planes ? (unsigned)FV_BLOCK_PLANES : 0));
    fv_put_number(directory, draft->elements.size / draft->kind.width);
    if (draft->kind.width == 1) fv_put_number(directory, draft->kind.row);
    if (draft->kind.planes && !planes) put_plain(draft, directory, section);
    for (int k = 0; k < fv_block_streams(draft->kind); k++, trial++)
      if (planes || !draft->kind.planes) put_stream(&trial->ways[trial->chosen], directory, section);
  }
}

/* Nobody's weights are that empty, but what is written must be readable. */
static int check_limit(const FvBlockWriter *writer, uint64_t section_bytes, FvError *err) {
  uint64_t decoded = 0;
  for (int i = 0; i < writer->count; i++) decoded += writer->drafts[i].elements.size;
  if (decoded <= fv_format_decoded_limit(section_bytes) && writer->count <= FV_MAX_BLOCKS) return 0;
  return fv_error_set(err, FV_ERR_LIMIT, "%llu bytes of weights would become %llu, which a reader does not believe; use the coder none", (unsigned long long)decoded,
                      (unsigned long long)section_bytes);
}

int fv_blocks_code(FvBlockWriter *writer, const FvCoderLimits *limits, FvBytes *directory, FvBytes *section, FvError *err) {
  Coding coding = {.writer = writer, .limits = limits, .err = err};
  coding.trials = calloc((size_t)writer->count * FV_BLOCK_MAX_WIDTH + 1, sizeof *coding.trials);
  int result = coding.trials && !writer->failed ? 0 : fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  for (int i = 0; result == 0 && i < writer->count; i++) result = try_block(&coding, &writer->drafts[i]);
  if (result == 0) {
    fv_coder_pick(limits, coding.trials, coding.count);
    put_blocks(&coding, directory, section);
    result = check_limit(writer, section->size, err);
  }
  for (size_t i = 0; coding.trials && i < coding.count; i++) fv_coder_trial_finish(&coding.trials[i]);
  free(coding.trials);
  return result;
}
