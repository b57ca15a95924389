import { Controller, Get } from '@nestjs/common';
// biome-ignore lint/style/useImportType: NestJS reads the class itself, at run time.
import { AppService } from './app.service';

@Controller()
export class AppController {
  constructor(private readonly appService: AppService) {}

  @Get()
  getHello(): string {
    return this.appService.getHello();
  }
}
