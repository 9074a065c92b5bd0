import { ConfigurableModuleBuilder } from "@nestjs/common";
import type { WebhookClientOptions } from "./options.js";

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<WebhookClientOptions>().setClassMethodName("forRoot").build();
