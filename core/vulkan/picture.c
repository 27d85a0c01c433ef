#include "vulkan/picture.h"

#include <stdlib.h>
#include <string.h>

#include "vulkan/probe.h"

#include "push/frame.h"

_Static_assert(FRAME_SAMPLERS == FV_VK_MAX_SAMPLERS, "a picture has as many samplers as the shader has tables");

enum { WORD = 4 };

static int64_t rounded(int64_t bytes) { return (bytes + 15) / 16 * 16; }

/* --- where everything lies --- */

static int highest_row(const FvVkPicture *picture, int plane) {
  int highest = -1;
  for (int s = 0; s < picture->sampler_count; s++) {
    const FvVkSampler *sampler = &picture->samplers[s];
    for (int y = 0; y < picture->lines && sampler->plane == plane; y++)
      if (sampler->row[y] + sampler->row_step > highest) highest = sampler->row[y] + sampler->row_step;
  }
  return highest;
}

/* Lists the rows of one plane that are taken; a picture made smaller leaves many out. place[row] becomes the row's number among them. */
static int list_rows(FvVkPlaneRows *rows, const FvVkPicture *picture, int plane, int32_t *place, int highest) {
  for (int s = 0; s < picture->sampler_count; s++) {
    const FvVkSampler *sampler = &picture->samplers[s];
    if (sampler->plane != plane) continue;
    rows->row_bytes = sampler->row_bytes;
    for (int y = 0; y < picture->lines; y++) place[sampler->row[y]] = place[sampler->row[y] + sampler->row_step] = 1;
  }
  for (int row = 0; row <= highest; row++)
    if (place[row]) place[row] = rows->count++;
  rows->rows = malloc(((size_t)rows->count + 1) * sizeof *rows->rows);
  if (!rows->rows) return FV_ERR_NO_MEMORY;
  for (int s = 0; s < picture->sampler_count; s++) {
    const FvVkSampler *sampler = &picture->samplers[s];
    for (int y = 0; y < picture->lines && sampler->plane == plane; y++)
      for (int row = sampler->row[y]; row <= sampler->row[y] + sampler->row_step; row++) rows->rows[place[row]] = row;
  }
  return 0;
}

static int64_t table_words(const FvVkPicture *picture) { return 2 * (int64_t)picture->columns + 3 * (int64_t)picture->lines; }

static void write_table(const FvVkPicture *picture, const FvVkSampler *sampler, const FvVkPlaneRows *rows, const int32_t *place, int32_t *table) {
  int columns = picture->columns, lines = picture->lines;
  memcpy(table, sampler->column, (size_t)columns * WORD);
  memcpy(table + columns, sampler->column_weight, (size_t)columns * WORD);
  table += 2 * columns;
  for (int y = 0; y < lines; y++) {
    table[y] = (int32_t)(rows->at + place[sampler->row[y]] * rows->pitch);
    table[lines + y] = (int32_t)(rows->at + place[sampler->row[y] + sampler->row_step] * rows->pitch);
  }
  memcpy(table + 2 * lines, sampler->row_weight, (size_t)lines * WORD);
}

/* Rows by plane, and the tables. *bytes is what all takes; *words, malloc'ed, holds the tables. */
static int lay_out(FvVkPictureIn *in, const FvVkPicture *picture, int64_t *bytes, int32_t **words) {
  int64_t size = table_words(picture);
  int result = 0;
  *bytes = rounded(picture->sampler_count * size * WORD);
  *words = calloc((size_t)(picture->sampler_count * size) + 1, WORD);
  if (!*words) return FV_ERR_NO_MEMORY;
  for (int p = 0; p < FV_VK_MAX_PLANES && result == 0; p++) {
    FvVkPlaneRows *rows = &in->planes[p];
    free(rows->rows);
    *rows = (FvVkPlaneRows){.at = *bytes};
    int highest = highest_row(picture, p);
    int32_t *place = highest < 0 ? NULL : calloc((size_t)highest + 1, sizeof *place);
    if (highest < 0) continue;
    result = place ? list_rows(rows, picture, p, place, highest) : FV_ERR_NO_MEMORY;
    rows->pitch = rounded(rows->row_bytes);
    *bytes += rows->count * rows->pitch;
    for (int s = 0; s < picture->sampler_count && result == 0; s++)
      if (picture->samplers[s].plane == p) write_table(picture, &picture->samplers[s], rows, place, *words + s * size);
    free(place);
  }
  return result;
}

/* --- memory and commands --- */

static int make_memory(FvVkPictureIn *in, const FvVkProgram *program, const FvVkBuffer *arena, int64_t bytes, FvError *err) {
  FvVkDevice *device = program->device;
  if (in->samples.handle && in->samples.size >= (VkDeviceSize)bytes) return 0;
  if (in->descriptors) device->vk.DestroyDescriptorPool(device->handle, in->descriptors, NULL);
  in->descriptors = VK_NULL_HANDLE;
  fv_vk_buffer_destroy(device, &in->upload);
  fv_vk_buffer_destroy(device, &in->samples);
  in->texel = program->texel && fv_vk_fits_texel(device, FV_VK_FLOAT_VIEWS, bytes + 64);
  int result = fv_vk_buffer_create(device, bytes, FV_VK_DEVICE, FV_VK_NO_VIEWS, "memory for pictures", &in->samples, err);
  if (result == 0 && in->texel) result = fv_vk_buffer_view_words(device, &in->samples, err);
  if (result == 0 && !in->samples.map) result = fv_vk_buffer_create(device, bytes, FV_VK_UPLOAD, FV_VK_NO_VIEWS, "memory to upload pictures from", &in->upload, err);
  if (result == 0) result = fv_vk_set_create(device, arena, &in->samples, &in->descriptors, &in->set, err);
  if (result < 0) { /* nothing half-made is found there next time */
    fv_vk_buffer_destroy(device, &in->upload);
    fv_vk_buffer_destroy(device, &in->samples);
  }
  return result;
}

static char *memory_of(const FvVkPictureIn *in) { return in->upload.map ? in->upload.map : in->samples.map; }

static void fill_push(const FvVkPicture *p, const FvVkPort *port, struct FvFramePush *push) {
  int64_t table = table_words(p);
  *push = (struct FvFramePush){
    .y_at = (int)(port->first / (int64_t)fv_dtype_size(p->dtype)), .channel_step = (int)p->channel_stride, .row_step = (int)p->row_stride, .column_step = (int)p->column_stride,
    .width = p->width, .left = p->left, .top = p->top, .columns = p->columns, .lines = p->lines,
    .table = {0, (int)table, (int)(2 * table)}, .gain = p->gain, .offset = p->offset, .red_v = p->red_v, .green_u = p->green_u, .green_v = p->green_v, .blue_u = p->blue_u,
  };
  memcpy(push->mean, p->mean, sizeof push->mean);
  memcpy(push->scale, p->scale, sizeof push->scale);
  memcpy(push->pad, p->pad, sizeof push->pad);
}

static int make_dispatch(const FvVkPictureIn *in, const FvVkProgram *program, const FvVkPicture *picture, FvVkDispatch *dispatch, FvError *err) {
  struct FvFramePush push;
  int sampler[3] = {0}, byte[3] = {0}, step[3] = {0}, components = 0;
  for (int s = 0; s < picture->sampler_count; s++)
    for (int k = 0; k < picture->samplers[s].components && components < 3; k++, components++) {
      sampler[components] = s;
      byte[components] = picture->samplers[s].byte[k];
      step[components] = picture->samplers[s].step;
    }
  fill_push(picture, &program->inputs[0], &push);
  bool aligned = picture->dtype == FV_DTYPE_F32 && push.column_step == 1 && push.y_at % 4 == 0 && push.row_step % 4 == 0 && push.channel_step % 4 == 0;
  FvVkLaunch launch = {
    .shader = FV_SHADER_FRAME, .params = &push, .params_size = sizeof push, .invocations = (int64_t)((picture->width + 3) / 4) * picture->height, .spec_count = 14,
    .spec = {picture->dtype, (uint32_t)components, (uint32_t)picture->channels, picture->yuv, picture->bgr, (uint32_t)sampler[1], (uint32_t)sampler[2],
             (uint32_t)byte[0], (uint32_t)byte[1], (uint32_t)byte[2], (uint32_t)step[0], (uint32_t)step[1], (uint32_t)step[2], aligned},
  };
  return fv_vk_dispatch_make(program->device, in->texel, &launch, dispatch, err);
}

/* The rows of a plane, from where they lie in the picture to where the tables expect them; neighbours that stay neighbours in one piece. */
static uint32_t list_regions(const FvVkPictureIn *in, const FvVkPlaneRows *rows, int64_t begin, int64_t stride) {
  uint32_t count = 0;
  for (int i = 0; i < rows->count; i++) {
    VkDeviceSize from = (VkDeviceSize)(begin + rows->rows[i] * stride), to = (VkDeviceSize)(rows->at + i * rows->pitch);
    VkBufferCopy *last = count ? &in->regions[count - 1] : NULL;
    if (last && from == last->srcOffset + last->size && to == last->dstOffset + last->size)
      last->size += (VkDeviceSize)rows->row_bytes;
    else
      in->regions[count++] = (VkBufferCopy){from, to, (VkDeviceSize)rows->row_bytes};
  }
  return count;
}

/* Where a plane lies in foreign memory. */
typedef struct Source {
  const FvVkForeign *foreign;
  int64_t begin, stride;
} Source;

static void record_fetches(const FvVkPictureIn *in, FvVkDevice *device, const Source *sources) {
  for (int p = 0; p < FV_VK_MAX_PLANES; p++) {
    if (in->planes[p].count == 0) continue;
    uint32_t regions = list_regions(in, &in->planes[p], sources[p].begin, sources[p].stride);
    fv_vk_barrier(device, in->commands, FV_VK_HOST, FV_VK_COPY);
    device->vk.CmdCopyBuffer(in->commands, sources[p].foreign->handle, in->samples.handle, regions, in->regions);
  }
}

/* sources: by plane, when the device fetches; else everything is in our own memory. */
static int record(FvVkPictureIn *in, FvVkDevice *device, VkCommandPool pool, const Source *sources, FvError *err) {
  VkResult result = in->commands ? VK_SUCCESS : fv_vk_commands_create(device, pool, &in->commands);
  if (result == VK_SUCCESS) result = fv_vk_commands_begin(device, in->commands);
  if (result == VK_SUCCESS) {
    int64_t own = sources ? in->table_bytes : in->bytes;
    if (in->upload.handle) device->vk.CmdCopyBuffer(in->commands, in->upload.handle, in->samples.handle, 1, &(VkBufferCopy){0, 0, (VkDeviceSize)own});
    if (sources) record_fetches(in, device, sources);
    if (in->upload.handle || sources) fv_vk_barrier(device, in->commands, FV_VK_COPY, FV_VK_SHADER);
    fv_vk_record_set(device, in->commands, in->set);
    fv_vk_record_dispatch(device, in->commands, &in->dispatch);
    fv_vk_barrier(device, in->commands, FV_VK_SHADER, FV_VK_SHADER);
    result = device->vk.EndCommandBuffer(in->commands);
  }
  in->fetches = sources != NULL;
  return result == VK_SUCCESS ? 0 : fv_vk_failure(device, result, "preparing for pictures", err);
}

static int make_regions(FvVkPictureIn *in) {
  int most = 0;
  for (int p = 0; p < FV_VK_MAX_PLANES; p++)
    if (in->planes[p].count > most) most = in->planes[p].count;
  free(in->regions);
  in->regions = malloc(((size_t)most + 1) * sizeof *in->regions);
  return in->regions ? 0 : FV_ERR_NO_MEMORY;
}

int fv_vk_picture_prepare(FvVkPictureIn *in, const FvVkProgram *program, const FvVkBuffer *arena, VkCommandPool pool, const FvVkPicture *picture, FvError *err) {
  int64_t bytes = 0;
  int32_t *tables = NULL;
  if (program->input_count != 1 || !program->inputs[0].present) return fv_error_set(err, FV_ERR_UNSUPPORTED, "pictures need a model of one input");
  int result = lay_out(in, picture, &bytes, &tables) < 0 || make_regions(in) < 0 ? fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory") : 0;
  if (result == 0 && (bytes > INT32_MAX || !fv_vk_fits_storage(program->device, bytes + 64)))
    result = fv_error_set(err, FV_ERR_UNSUPPORTED, "a picture of %lld bytes is more than device '%s' reaches", (long long)bytes, program->device->id);
  if (result == 0) result = make_memory(in, program, arena, bytes, err);
  in->table_bytes = picture->sampler_count * table_words(picture) * WORD;
  in->bytes = bytes;
  in->trials = 0;
  in->best_ns[0] = in->best_ns[1] = UINT64_MAX;
  if (result == 0) result = make_dispatch(in, program, picture, &in->dispatch, err);
  if (result == 0) result = record(in, program->device, pool, NULL, err);
  if (result == 0) memcpy(memory_of(in), tables, (size_t)in->table_bytes);
  free(tables);
  return result;
}

/* --- every frame --- */

static int64_t row_bytes_of(const FvVkPictureIn *in) {
  int64_t bytes = 0;
  for (int p = 0; p < FV_VK_MAX_PLANES; p++) bytes += (int64_t)in->planes[p].count * in->planes[p].row_bytes;
  return bytes;
}

static void copy_rows(const FvVkPictureIn *in, const FvFrame *picture) {
  for (int p = 0; p < FV_VK_MAX_PLANES; p++) {
    const FvVkPlaneRows *rows = &in->planes[p];
    char *to = memory_of(in) + rows->at;
    for (int i = 0; i < rows->count; i++, to += rows->pitch) memcpy(to, picture->plane[p] + (ptrdiff_t)rows->rows[i] * picture->stride[p], (size_t)rows->row_bytes);
  }
}

/* The bytes between the lowest and the highest of a plane's rows that are needed, counted from its top row's first byte. */
static void plane_span(const FvVkPlaneRows *rows, int64_t stride, int64_t *low, int64_t *high) {
  int64_t first = rows->rows[0] * stride, last = rows->rows[rows->count - 1] * stride;
  *low = first < last ? first : last;
  *high = (first < last ? last : first) + rows->row_bytes;
}

static bool import_host(FvVkPictureIn *in, FvVkDevice *device, const FvFrame *picture, Source *sources) {
  for (int p = 0; p < FV_VK_MAX_PLANES; p++) {
    int64_t low, high, offset;
    if (in->planes[p].count == 0) continue;
    plane_span(&in->planes[p], picture->stride[p], &low, &high);
    if (!fv_vk_foreign_host(device, picture->plane[p] + low, high - low, &in->foreign[p], &offset)) return false;
    sources[p] = (Source){&in->foreign[p], offset - low, picture->stride[p]};
  }
  return true;
}

static bool import_dma(FvVkPictureIn *in, FvVkDevice *device, const FvFrame *picture, Source *sources) {
  for (int p = 0; p < FV_VK_MAX_PLANES; p++) {
    int64_t low, high;
    int same = 0;
    if (in->planes[p].count == 0) continue;
    while (same < p && (picture->dma->fd[same] != picture->dma->fd[p] || !in->foreign[same].handle)) same++;
    if (same == p && !fv_vk_foreign_dma(device, picture->dma->fd[p], &in->foreign[p])) return false;
    plane_span(&in->planes[p], picture->stride[p], &low, &high);
    sources[p] = (Source){&in->foreign[same], picture->dma->offset[p], picture->stride[p]};
    if (picture->dma->offset[p] + low < 0 || high > in->foreign[same].size - picture->dma->offset[p]) return false;
  }
  return true;
}

/* Copying rows costs the host time, and so does having pages pinned; which of them less is found out on the first pictures. Where memory is unified the host's
 * copy is the only one, and a fetch would be a second. */
enum { TRIALS = 8 };
static bool wants_fetch(const FvVkPictureIn *in, const FvVkDevice *device) {
  if (!device->host_properties || in->trials < 0) return false;
  if (fv_vk_wish("import")) return true;
  if (!in->upload.handle) return false;
  return in->trials < TRIALS ? in->trials % 2 : in->best_ns[1] < in->best_ns[0];
}

static int fetch(FvVkPictureIn *in, FvVkDevice *device, VkCommandPool pool, const FvFrame *picture, FvError *err) {
  Source sources[FV_VK_MAX_PLANES] = {{0}};
  bool imported = picture->dma ? import_dma(in, device, picture, sources) : import_host(in, device, picture, sources);
  if (imported) return record(in, device, pool, sources, err);
  fv_vk_picture_release(in, device);
  return fv_error_set(err, FV_ERR_UNSUPPORTED, "device '%s' cannot import the frame's memory", device->id);
}

int64_t fv_vk_picture_load(FvVkPictureIn *in, FvVkDevice *device, VkCommandPool pool, const FvFrame *picture, FvError *err) {
  uint64_t start = fv_vk_now_ns();
  bool fetches = picture->dma || wants_fetch(in, device);
  int result = fetches ? fetch(in, device, pool, picture, err) : 0;
  if (result == FV_ERR_UNSUPPORTED && !picture->dma) {
    in->trials = -1; /* such memory cannot be had: not asked again for pictures of this kind */
    fetches = false;
    result = 0;
  }
  if (result == 0 && !fetches && in->fetches) result = record(in, device, pool, NULL, err);
  if (result < 0) return result;
  if (!fetches) copy_rows(in, picture);
  uint64_t took = fv_vk_now_ns() - start;
  if (fetches)
    in->fetch_ns = took;
  else if (took < in->best_ns[0])
    in->best_ns[0] = took;
  if (!picture->dma && in->trials >= 0 && in->trials < TRIALS) in->trials++;
  return row_bytes_of(in);
}

void fv_vk_picture_release(FvVkPictureIn *in, FvVkDevice *device) {
  if (!in->foreign[0].handle && !in->foreign[1].handle && !in->foreign[2].handle) return;
  uint64_t start = fv_vk_now_ns();
  for (int p = 0; p < FV_VK_MAX_PLANES; p++) fv_vk_foreign_finish(device, &in->foreign[p]);
  uint64_t took = in->fetch_ns + (fv_vk_now_ns() - start);
  if (took < in->best_ns[1]) in->best_ns[1] = took;
}

/* Commands go with the runner's pool. */
void fv_vk_picture_finish(FvVkPictureIn *in, FvVkDevice *device) {
  fv_vk_picture_release(in, device);
  if (in->descriptors) device->vk.DestroyDescriptorPool(device->handle, in->descriptors, NULL);
  fv_vk_buffer_destroy(device, &in->upload);
  fv_vk_buffer_destroy(device, &in->samples);
  free(in->regions);
  for (int p = 0; p < FV_VK_MAX_PLANES; p++) free(in->planes[p].rows);
  *in = (FvVkPictureIn){0};
}
