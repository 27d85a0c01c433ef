#include "vulkan/instance.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static FvVkInstance *shared;
static PFN_vkGetInstanceProcAddr get_proc; /* the loader stays for the life of the process */
static atomic_int messages;

/* What follows the word: "", ":NUMBER", or NULL when it is not there. */
static const char *find_wish(const char *word) {
  const char *at = getenv("FOVEA_VULKAN");
  size_t length = strlen(word);
  while (at && *at) {
    at += strspn(at, ", ");
    size_t span = strcspn(at, ", "), name = strcspn(at, ":, ");
    if (name == length && memcmp(at, word, length) == 0) return at + name;
    at += span;
  }
  return NULL;
}

bool fv_vk_wish(const char *word) { return find_wish(word) != NULL; }

int fv_vk_wish_number(const char *word) {
  const char *at = find_wish(word);
  return at && *at == ':' ? atoi(at + 1) : 0;
}

int fv_vk_validation_messages(void) { return atomic_load(&messages); }

/* Best practices are advice, mostly about sizes that models decide; only their errors count. */
static VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity, VkDebugUtilsMessageTypeFlagsEXT types,
                                                 const VkDebugUtilsMessengerCallbackDataEXT *data, void *user) {
  (void)types, (void)user;
  bool is_advice = severity < VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT && data->pMessageIdName && strstr(data->pMessageIdName, "BestPractices");
  if (!is_advice) atomic_fetch_add(&messages, 1);
  fv_log(is_advice ? FV_LOG_DEBUG : FV_LOG_ERROR, "vulkan %s: %s", is_advice ? "advice" : "validation", data->pMessage);
  return VK_FALSE;
}

static int open_loader(FvError *err) {
  if (get_proc) return 0;
  void *library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) return fv_error_set(err, FV_ERR_DEVICE, "no Vulkan loader (libvulkan.so.1) on this machine; install libvulkan1 and a driver");
  get_proc = (PFN_vkGetInstanceProcAddr)dlsym(library, "vkGetInstanceProcAddr");
  if (get_proc) return 0;
  dlclose(library);
  return fv_error_set(err, FV_ERR_DEVICE, "libvulkan.so.1 has no vkGetInstanceProcAddr");
}

static bool has_layer(const char *name) {
  PFN_vkEnumerateInstanceLayerProperties enumerate = (PFN_vkEnumerateInstanceLayerProperties)get_proc(NULL, "vkEnumerateInstanceLayerProperties");
  VkLayerProperties layers[64];
  uint32_t count = 64;
  if (!enumerate || enumerate(&count, layers) < 0) return false;
  for (uint32_t i = 0; i < count; i++)
    if (strcmp(layers[i].layerName, name) == 0) return true;
  return false;
}

static void watch(FvVkInstance *instance) {
  PFN_vkCreateDebugUtilsMessengerEXT create = (PFN_vkCreateDebugUtilsMessengerEXT)get_proc(instance->handle, "vkCreateDebugUtilsMessengerEXT");
  instance->destroy_messenger = (PFN_vkDestroyDebugUtilsMessengerEXT)get_proc(instance->handle, "vkDestroyDebugUtilsMessengerEXT");
  VkDebugUtilsMessengerCreateInfoEXT info = {
    .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
    .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT,
    .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT, .pfnUserCallback = on_message,
  };
  if (create && instance->destroy_messenger) create(instance->handle, &info, NULL, &instance->messenger);
}

static int create_instance(FvVkInstance *instance, FvError *err) {
  static const char *const layers[] = {"VK_LAYER_KHRONOS_validation"}, *const extensions[] = {VK_EXT_DEBUG_UTILS_EXTENSION_NAME};
  static const VkValidationFeatureEnableEXT checks[] = {VK_VALIDATION_FEATURE_ENABLE_BEST_PRACTICES_EXT, VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT};
  PFN_vkEnumerateInstanceVersion version = (PFN_vkEnumerateInstanceVersion)get_proc(NULL, "vkEnumerateInstanceVersion");
  PFN_vkCreateInstance create = (PFN_vkCreateInstance)get_proc(NULL, "vkCreateInstance");
  instance->api = VK_API_VERSION_1_0;
  if (version) version(&instance->api);
  if (!create || instance->api < VK_API_VERSION_1_1) return fv_error_set(err, FV_ERR_DEVICE, "the Vulkan loader is older than Vulkan 1.1");
  if (instance->api > VK_API_VERSION_1_3) instance->api = VK_API_VERSION_1_3;
  bool validate = fv_vk_wish("validate") && has_layer(layers[0]);
  if (!validate && fv_vk_wish("validate")) fv_log(FV_LOG_WARNING, "vulkan: the validation layer is not installed (vulkan-validationlayers)");
  bool synchronise = validate && fv_vk_wish("barriers"); /* the layer sees the whole arena touched by each dispatch */
  VkValidationFeaturesEXT features = {.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT, .enabledValidationFeatureCount = synchronise ? 2 : 1, .pEnabledValidationFeatures = checks};
  VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .pApplicationName = "fovea", .pEngineName = "fovea",
                                   .apiVersion = instance->api};
  VkInstanceCreateInfo info = {
    .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pNext = validate ? &features : NULL, .pApplicationInfo = &application,
    .enabledLayerCount = validate, .ppEnabledLayerNames = layers, .enabledExtensionCount = validate, .ppEnabledExtensionNames = extensions,
  };
  VkResult result = create(&info, NULL, &instance->handle);
  if (result == VK_ERROR_INCOMPATIBLE_DRIVER) return fv_error_set(err, FV_ERR_DEVICE, "no Vulkan driver is installed; on Debian, mesa-vulkan-drivers has most");
  if (result != VK_SUCCESS) return fv_error_set(err, FV_ERR_DEVICE, "Vulkan does not start (error %d)", result);
#define LOAD(name) missing |= !(instance->vk.name = (PFN_vk##name)get_proc(instance->handle, "vk" #name));
  bool missing = false;
  FV_VK_INSTANCE_FUNCTIONS(LOAD)
#undef LOAD
  if (missing) return fv_error_set(err, FV_ERR_DEVICE, "the Vulkan loader lacks functions of Vulkan 1.1");
  if (validate) watch(instance);
  fv_log(FV_LOG_INFO, validate ? "vulkan: checked by the validation layer" : "vulkan: not checked by the validation layer");
  return 0;
}

static void destroy(FvVkInstance *instance) {
  if (instance->messenger) instance->destroy_messenger(instance->handle, instance->messenger, NULL);
  if (instance->handle && instance->vk.DestroyInstance) instance->vk.DestroyInstance(instance->handle, NULL);
  free(instance);
}

static FvVkInstance *take_locked(FvError *err) {
  if (!shared) {
    if (open_loader(err) < 0) return NULL;
    FvVkInstance *made = calloc(1, sizeof *made);
    if (!made) {
      fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
      return NULL;
    }
    if (create_instance(made, err) < 0) {
      destroy(made);
      return NULL;
    }
    shared = made;
  }
  shared->references++;
  return shared;
}

FvVkInstance *fv_vk_instance_take(FvError *err) {
  pthread_mutex_lock(&lock);
  FvVkInstance *instance = take_locked(err);
  pthread_mutex_unlock(&lock);
  return instance;
}

void fv_vk_instance_give(FvVkInstance *instance) {
  pthread_mutex_lock(&lock);
  if (instance && --instance->references == 0) {
    shared = NULL;
    destroy(instance);
  }
  pthread_mutex_unlock(&lock);
}

int fv_vk_instance_devices(FvVkInstance *instance, VkPhysicalDevice *devices, FvError *err) {
  uint32_t count = FV_VK_MAX_DEVICES;
  VkResult result = instance->vk.EnumeratePhysicalDevices(instance->handle, &count, devices);
  if (result != VK_SUCCESS && result != VK_INCOMPLETE) return fv_error_set(err, FV_ERR_DEVICE, "Vulkan cannot list its devices (error %d)", result);
  return (int)count;
}
