#include "container/weights.h"

#include <stdlib.h>
#include <string.h>

#include "base/threads.h"

enum { BORROW_BYTES = 256 /* smaller tensors are copied */, PARALLEL_BYTES = 128 << 10 /* less is done before a thread wakes */ };

static int no_memory(FvError *err) { return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory"); }

/* Borrowing keeps the whole section in memory: it pays when most of it is borrowed. */
static bool decide_to_borrow(const FvWeightLoad *load) {
  uint64_t in_place = 0;
  for (int i = 0; i < load->block_count; i++)
    if (fv_block_in_place(&load->blocks[i], load->section.data)) in_place += load->blocks[i].streams[0].size;
  return load->section.stays && in_place > load->section.size / 2;
}

int fv_weights_open(FvWeightLoad *load, FvWeightBytes section, FvByteReader *reader, FvError *err) {
  *load = (FvWeightLoad){.section = section};
  uint32_t count = fv_read_count(reader, FV_MAX_BLOCKS);
  if (reader->failed) return fv_error_set(err, FV_ERR_FORMAT, "section 'graph' is malformed in its list of blocks");
  load->blocks = calloc((size_t)count + 1, sizeof *load->blocks);
  load->uses = calloc((size_t)count + 1, sizeof *load->uses);
  if (!load->blocks || !load->uses) return no_memory(err);
  load->block_count = (int)count;
  for (uint32_t i = 0; i < count; i++) load->uses[i].first = load->uses[i].last = -1;
  int result = fv_blocks_read(reader, load->blocks, count, section.size, err);
  load->borrows = result == 0 && decide_to_borrow(load);
  return result;
}

void fv_weights_finish(FvWeightLoad *load) {
  free(load->blocks);
  free(load->uses);
  free(load->tensors);
  *load = (FvWeightLoad){0};
}

static bool grow(FvWeightLoad *load) {
  int capacity = load->capacity ? 2 * load->capacity : 256;
  FvWeightTensor *grown = load->count < load->capacity ? load->tensors : realloc(load->tensors, sizeof *grown * (size_t)capacity);
  if (!grown) return false;
  if (load->count == load->capacity) load->capacity = capacity;
  load->tensors = grown;
  return true;
}

static const uint8_t *borrowed(const FvWeightLoad *load, const FvWeightTensor *it) {
  const FvBlock *block = &load->blocks[it->block];
  const uint8_t *elements = fv_block_in_place(block, load->section.data);
  uint64_t bytes = (uint64_t)fv_tensor_count(it->tensor) * block->kind.width;
  bool fits = load->borrows && elements && it->storage.form == FV_STORAGE_PLAIN && it->tensor->dtype != FV_DTYPE_BOOL && bytes >= BORROW_BYTES;
  const uint8_t *at = fits ? elements + it->first * block->kind.width : NULL;
  return at && (uintptr_t)at % block->kind.width == 0 ? at : NULL;
}

int fv_weights_take(FvWeightLoad *load, FvArena *arena, FvTensor *tensor, const FvStorage *storage, int index) {
  struct FvWeightUse *use = &load->uses[index];
  uint64_t count = (uint64_t)fv_tensor_count(tensor);
  if (count > load->blocks[index].count - use->taken) return FV_ERR_FORMAT;
  if (!grow(load)) return FV_ERR_NO_MEMORY;
  FvWeightTensor *it = &load->tensors[load->count];
  *it = (FvWeightTensor){tensor, *storage, use->taken, index, -1};
  const uint8_t *in_place = borrowed(load, it);
  tensor->data = in_place ? (void *)(uintptr_t)in_place : fv_arena_alloc(arena, (size_t)(count * fv_dtype_size(tensor->dtype)));
  if (!tensor->data) return FV_ERR_NO_MEMORY;
  if (use->last < 0) use->first = load->count;
  else load->tensors[use->last].next = load->count;
  use->last = load->count++;
  use->taken += count;
  return 0;
}

/* --- decoding --- */

static int unpack_block(const FvWeightLoad *load, int index, const uint8_t *elements, FvError *err) {
  const FvBlock *block = &load->blocks[index];
  for (int i = load->uses[index].first; i >= 0; i = load->tensors[i].next) {
    const FvWeightTensor *it = &load->tensors[i];
    const uint8_t *from = elements + it->first * block->kind.width;
    if (from != it->tensor->data && !fv_storage_unpack(&it->storage, from, block->kind.width, it->tensor))
      return fv_error_set(err, FV_ERR_FORMAT, "it has elements without a meaning; the data is damaged");
  }
  return 0;
}

/* The elements of the block are those of one tensor, as they are. */
static bool is_whole(const FvWeightLoad *load, int index) {
  const FvWeightTensor *first = &load->tensors[load->uses[index].first];
  return first->next < 0 && first->storage.form == FV_STORAGE_PLAIN && first->tensor->dtype != FV_DTYPE_BOOL;
}

static int decode_block(const FvWeightLoad *load, int index, FvError *err) {
  const FvBlock *block = &load->blocks[index];
  const uint8_t *in_place = fv_block_in_place(block, load->section.data);
  if (in_place) return unpack_block(load, index, in_place, err);
  if (is_whole(load, index)) return fv_block_decode(block, load->section.data, load->tensors[load->uses[index].first].tensor->data, err);
  uint8_t *elements = malloc((size_t)block->count * block->kind.width);
  int result = elements ? fv_block_decode(block, load->section.data, elements, err) : no_memory(err);
  if (result == 0) result = unpack_block(load, index, elements, err);
  free(elements);
  return result;
}

/* What is decoded at once by one thread: a block, or some streams side by side. */
typedef struct Part {
  int block;      /* -1: streams */
  int first, end; /* of the streams */
} Part;

typedef struct Job {
  const FvWeightLoad *load;
  Part *parts;
  FvDecoding *streams; /* of blocks that have one */
  int *blocks;         /* theirs */
  int *results;        /* by block */
  int part_count, stream_count;
} Job;

static bool is_stream(const FvWeightLoad *load, int index) {
  const FvBlock *block = &load->blocks[index];
  return block->stream_count == 1 && block->kind.width == 1 && fv_coder_is_several((int)block->streams[0].coder, (size_t)block->count, (size_t)block->streams[0].size);
}

/* Streams go together until they are an eighth of all of them. */
static void cut(Job *job) {
  const FvWeightLoad *load = job->load;
  size_t all = 0, taken = 0;
  for (int i = 0; i < load->block_count; i++) {
    if (!is_stream(load, i)) {
      job->parts[job->part_count++] = (Part){.block = i};
      continue;
    }
    const FvBlock *block = &load->blocks[i];
    const FvStream *stream = &block->streams[0];
    void *data = is_whole(load, i) ? load->tensors[load->uses[i].first].tensor->data : malloc((size_t)block->count);
    if (!data) { /* alone it may find some */
      job->parts[job->part_count++] = (Part){.block = i};
      continue;
    }
    job->blocks[job->stream_count] = i;
    job->streams[job->stream_count++] =
      (FvDecoding){.id = (int)stream->coder, .coded = load->section.data + stream->offset, .size = (size_t)stream->size, .shape = fv_block_shape(block), .data = data};
    all += (size_t)block->count;
  }
  for (int i = 0, first = 0; i < job->stream_count; i++) {
    taken += job->streams[i].shape.count;
    if (taken < all / 8 && i + 1 < job->stream_count) continue;
    job->parts[job->part_count++] = (Part){-1, first, i + 1};
    first = i + 1;
    taken = 0;
  }
}

static void run_part(void *arg, int index) {
  const Job *job = arg;
  const Part *part = &job->parts[index];
  if (part->block >= 0) {
    job->results[part->block] = decode_block(job->load, part->block, NULL);
    return;
  }
  fv_coder_decode_several(job->streams + part->first, (size_t)(part->end - part->first));
  for (int i = part->first; i < part->end; i++) {
    FvDecoding *stream = &job->streams[i];
    int block = job->blocks[i];
    job->results[block] = stream->result;
    if (is_whole(job->load, block)) continue;
    if (stream->result == 0) job->results[block] = unpack_block(job->load, block, stream->data, NULL);
    free(stream->data);
  }
}

static int run_all(Job *job, FvError *err) {
  const FvWeightLoad *load = job->load;
  int result = 0;
  cut(job);
  if (load->section.size >= PARALLEL_BYTES) fv_pool_reserve_some();
  fv_pool_run(job->part_count, run_part, job);
  for (int i = 0; result == 0 && i < load->block_count; i++)
    if (job->results[i] < 0) { /* once more for the words: parts cannot share one error */
      result = decode_block(load, i, err);
      fv_error_prefix(err, "section 'weights', block %d", i);
    }
  return result;
}

static int decode_all(const FvWeightLoad *load, FvError *err) {
  size_t count = (size_t)load->block_count + 1;
  Job job = {.load = load, .parts = calloc(count, sizeof *job.parts), .streams = calloc(count, sizeof *job.streams), .blocks = calloc(count, sizeof *job.blocks),
             .results = calloc(count, sizeof *job.results)};
  int result = job.parts && job.streams && job.blocks && job.results ? run_all(&job, err) : no_memory(err);
  free(job.parts);
  free(job.streams);
  free(job.blocks);
  free(job.results);
  return result;
}

int fv_weights_decode(const FvWeightLoad *load, FvError *err) {
  for (int i = 0; i < load->block_count; i++)
    if (load->uses[i].taken != load->blocks[i].count)
      return fv_error_set(err, FV_ERR_FORMAT, "section 'weights': of the %llu elements of block %d the tensors take %llu", (unsigned long long)load->blocks[i].count, i,
                          (unsigned long long)load->uses[i].taken);
  return decode_all(load, err);
}

/* --- telling --- */

static const char *coders_of(const FvBlock *block, FvArena *arena) {
  const char *text = fv_coder_name((int)block->streams[block->stream_count - 1].coder);
  for (int k = block->stream_count - 2; text && k >= 0; k--) text = fv_arena_printf(arena, "%s+%s", text, fv_coder_name((int)block->streams[k].coder));
  return text;
}

bool fv_weights_describe(const FvWeightLoad *load, FvModelFile *file) {
  FvArena *arena = &file->graph->arena;
  file->stored = fv_arena_array(arena, (size_t)load->count, sizeof *file->stored);
  if (!file->stored) return false;
  for (int i = 0; i < load->block_count; i++) {
    const FvBlock *block = &load->blocks[i];
    const char *coders = coders_of(block, arena);
    double bytes = 0;
    if (!coders) return false;
    for (int k = 0; k < block->stream_count; k++) bytes += (double)block->streams[k].size;
    for (int t = load->uses[i].first; t >= 0; t = load->tensors[t].next) {
      const FvWeightTensor *it = &load->tensors[t];
      file->stored[t] = (FvStoredConstant){it->tensor, fv_storage_name(it->storage.form), coders, bytes * (double)fv_tensor_count(it->tensor) / (double)block->count};
    }
  }
  file->stored_count = load->count;
  return true;
}
