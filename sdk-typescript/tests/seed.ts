// A client of the kind that this package replaces, to the letter but for its name.
import { Controller, Injectable, Module, Post } from "@nestjs/common";
import { WebhookClientModule, WebhookClientService, WebhookEmit } from "../src/nestjs/index.js";

@Module({
  imports: [
    WebhookClientModule.forRoot({
      baseUrl: process.env.WEBHOOK_BASE_URL!,
      apiKey: process.env.WEBHOOK_API_KEY!,
    }),
  ],
})
export class AppModule {}

@Injectable()
export class OrderEventsService {
  constructor(private readonly webhookClient: WebhookClientService) {}

  async emitOrderCreated(order: { id: string; total: number }) {
    const result = await this.webhookClient.send({
      eventType: "order.created",
      payload: order,
    });

    return result.id;
  }
}

@Controller("orders")
export class OrdersController {
  @Post()
  @WebhookEmit("order.created", {
    when: (response) => Boolean((response as { id?: string }).id),
    await: true,
  })
  create() {
    return { id: "ord_123", total: 4900 };
  }
}
