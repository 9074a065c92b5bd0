import { Global, Module } from "@nestjs/common";
import { ConfigurableModuleClass } from "./definition.js";
import { WebhookClientService } from "./service.js";

/**
 * `forRoot({ apiKey, baseUrl, app })` or `forRootAsync({ imports, inject, useFactory })` in the
 * application's root module; then WebhookClientService can be injected everywhere.
 */
@Global()
@Module({ providers: [WebhookClientService], exports: [WebhookClientService] })
export class WebhookClientModule extends ConfigurableModuleClass {}
